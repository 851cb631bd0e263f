"""Files of rows: JSON lines and CSV, plain and gzipped, read as they were written."""

import gzip
from pathlib import Path

import pytest

from recsys_cli import events, items, rows
from recsys_cli.outcome import CommandError

EVENTS = [
    {"event_id": "e1", "user_id": "anna", "item_id": "007", "type": "view", "timestamp": 1_700_000_000.5},
    {
        "event_id": "e2",
        "session_id": "s",
        "item_id": "ü",
        "type": "purchase",
        "quantity": 6,
        "value": 2.5,
        "list_id": "l",
        "position": 3,
    },
]
ITEM = {"item_id": "007", "title": "Mug, red", "price": 2.5, "available": False, "attributes": {"brand": "A"}}


@pytest.mark.parametrize("name", ["e.jsonl", "e.jsonl.gz", "e.csv", "e.csv.gz"])
def test_events_are_read_as_they_were_written(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    assert rows.write(path, EVENTS, columns=events._COLUMNS) == 2
    assert [events._typed(row) for row in rows.read(path)] == EVENTS


@pytest.mark.parametrize("name", ["e.csv", "e.csv.gz"])
def test_the_mark_that_excel_begins_a_file_with_is_not_part_of_the_first_column(tmp_path: Path, name: str) -> None:
    with (gzip.open if name.endswith(".gz") else open)(tmp_path / name, "wb") as file:
        file.write("\ufeffitem_id,type\n007,view\n".encode())
    assert list(rows.read(tmp_path / name)) == [{"item_id": "007", "type": "view"}]


@pytest.mark.parametrize("name", ["i.jsonl", "i.csv"])
def test_items_are_read_as_they_were_written(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    rows.write(path, [ITEM], columns=items._COLUMNS)
    assert [items._typed(row, 1) for row in rows.read(path)] == [ITEM]


def test_an_event_without_an_id_gets_the_same_one_each_time_the_file_is_read() -> None:
    same = [{"user_id": "anna", "item_id": "1", "type": "view"}] * 2
    first, second = (list(events._with_ids(same)) for _ in range(2))
    assert first == second
    assert len({event["event_id"] for event in first}) == 2


def test_a_line_that_is_no_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    path.write_text('{"a": 1}\nnothing\n')
    with pytest.raises(CommandError, match=r"e\.jsonl: line 2: expected JSON, found 'nothing"):
        list(rows.read(path))
