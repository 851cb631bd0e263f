"""A shop of Gorse comes over as files that are read and learnt from, and what stays behind is told."""

import json
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from recsys.errors import DataError, InvalidArgumentError
from trainer.__main__ import app
from trainer.importing import gorse
from trainer.shop_data import event_files, mapping
from trainer.shop_data.event_files import LoadedEvents

NEVER = "0001-01-01T00:00:00Z"
USERS: list[dict[str, Any]] = [
    {"UserId": "é 1@shop", "Labels": {"age": 70}, "Comment": ""},
    {"UserId": "u2", "Labels": None, "Comment": ""},
    {"UserId": "silent", "Labels": None, "Comment": ""},
]
ITEMS: list[dict[str, Any]] = [
    {
        "ItemId": "Größe 0/XL",
        "IsHidden": True,
        "Categories": ["Küche", "toys/wood"],
        "Timestamp": NEVER,
        "Labels": {"brand": "Alder", "price": 5.5, "tags": ["eco", "sale"], "size": {"cm": 3}, "vector": [0.5, 1.5]},
        "Comment": 'a "quoted" – 5 %',
    },
    {
        "ItemId": "b",
        "IsHidden": False,
        "Categories": [],
        "Timestamp": "2024-01-01T00:00:00Z",
        "Labels": None,
        "Comment": "",
    },
]


def feedback(kind: str, user: str, item: str, value: float, first: str, last: str | None = None) -> dict[str, Any]:
    return {
        "FeedbackType": kind,
        "UserId": user,
        "ItemId": item,
        "Value": value,
        "Timestamp": first,
        "Updated": last or first,
        "Comment": "",
    }


FEEDBACK = [
    feedback("read", "é 1@shop", "Größe 0/XL", 2, "2024-05-01T10:00:00Z", "2024-05-03T10:00:00Z"),
    feedback("star", "é 1@shop", "b", 5, "2024-05-01T11:00:00Z"),
    feedback("star", "u2", "b", 1, "2024-05-01T12:00:00Z"),
    feedback("purchase", "u2", "b", 1, "2024-05-02T12:00:00Z"),
    feedback("dislike", "u2", "Größe 0/XL", 1, "2024-05-02T13:00:00Z"),
    feedback("purchase", "u2", "gone", 1, NEVER),
]


def as_json_lines(folder: Path) -> list[Path]:
    for name, rows in (("users", USERS), ("items", ITEMS), ("feedback", FEEDBACK)):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    return [folder]


def tagged(number: int, value: object) -> bytes:
    """A field of a protobuf message; one without a value is not there."""
    if isinstance(value, bool):
        return bytes([number << 3, 1]) if value else b""
    if isinstance(value, float):
        return bytes([number << 3 | 1]) + struct.pack("<d", value)
    content = value if isinstance(value, bytes) else str(value).encode()
    return bytes([number << 3 | 2, len(content)]) + content if content else b""


def varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def moment(text: str) -> bytes:
    seconds = int((datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
    return b"\x08" + varint(seconds)


def labels(row: dict[str, Any]) -> bytes:
    return json.dumps(row["Labels"]).encode()


def as_dump(folder: Path) -> list[Path]:
    users = [tagged(1, one["UserId"]) + tagged(2, labels(one)) for one in USERS]
    items = [
        tagged(2, one["ItemId"])
        + tagged(3, one["IsHidden"])
        + b"".join(tagged(4, name) for name in one["Categories"])
        + tagged(5, moment(one["Timestamp"]))
        + tagged(6, labels(one))
        + tagged(7, one["Comment"])
        for one in ITEMS
    ]
    told = [
        tagged(2, one["FeedbackType"])
        + tagged(3, one["UserId"])
        + tagged(4, one["ItemId"])
        + tagged(5, float(one["Value"]))
        + tagged(6, moment(one["Timestamp"]))
        + tagged(8, moment(one["Updated"]))
        for one in FEEDBACK
    ]
    parts = [
        struct.pack("<q", opening) + b"".join(struct.pack("<q", len(one)) + one for one in messages)
        for opening, messages in ((-1, users), (-2, items), (-3, told))
    ]
    path = folder / "gorse.bin"
    path.write_bytes(b"".join(parts) + struct.pack("<q", 0) + b'{"Users": 3}')  # the server's answer follows the end
    return [path]


def load(out: Path) -> LoadedEvents:
    return event_files.load(
        out / gorse.EVENTS,
        mapping=mapping.read(out / gorse.MAPPING),
        catalogue_path=out / gorse.ITEMS,
        quarantine_path=out / "quarantine.csv",
        now=datetime(2024, 6, 1, tzinfo=UTC),
    )


@pytest.fixture(params=[as_json_lines, as_dump])
def paths(request: pytest.FixtureRequest, tmp_path: Path) -> list[Path]:
    folder = tmp_path / "export"
    folder.mkdir()
    write: Callable[[Path], list[Path]] = request.param
    return write(folder)


def test_users_items_hidden_flags_labels_categories_and_feedback_come_over(paths: list[Path], tmp_path: Path) -> None:
    imported = gorse.import_gorse(paths, tmp_path / "out")
    assert (imported.users, imported.items, imported.hidden_items, imported.events) == (2, 2, 1, 6)
    assert imported.types == {"dislike": "ignore", "purchase": "purchase", "read": "view", "star": "star"}
    loaded = load(tmp_path / "out")
    first = datetime(2024, 5, 1, 10, tzinfo=UTC)
    events = loaded.frame.with_columns(pl.col("event_type").cast(pl.String))
    assert events.select("user_id", "item_id", "event_type").rows() == [
        ("é 1@shop", "Größe 0/XL", "view"),
        ("é 1@shop", "b", "star"),
        ("u2", "b", "star"),
        ("u2", "b", "purchase"),
        ("é 1@shop", "Größe 0/XL", "view"),
    ]
    assert (events["timestamp"][0], events["timestamp"][-1]) == (first, first.replace(day=3))
    assert loaded.report.events.rejected == ()
    assert loaded.report.events.ignored == {"of a type that the mapping ignores": 1}
    hidden = loaded.catalogue.filter(pl.col("item_id") == "Größe 0/XL").row(0, named=True)
    assert hidden == {
        "item_id": "Größe 0/XL",
        "title": 'a "quoted" – 5 %',
        "category": "Küche",
        "price": 5.5,
        "image_url": None,
        "available": False,
        "attr:brand": "Alder",
        "attr:tags.eco": "yes",
        "attr:tags.sale": "yes",
        "attr:size.cm": "3",
        "attr:categories.Küche": "yes",
        "attr:categories.toys/wood": "yes",
    }


def test_what_stays_behind_is_told_with_the_reason(paths: list[Path], tmp_path: Path) -> None:
    imported = gorse.import_gorse(paths, tmp_path / "out")
    told = {one.what: one.count for one in imported.left_behind}
    assert told == {
        "users without feedback": 1,
        "users' labels": 1,
        "items' timestamps": 1,
        "values of read": 1,
        "values of star": 1,
        "feedback": 1,
        "labels 'vector' of items": 1,
    }
    assert "--positive 'star>=3' leaves out those below 3" in imported.render()
    assert "no time, and what comes first and last is not known without" in imported.render()


@pytest.mark.parametrize(("condition", "users"), [("star>=3", ["é 1@shop"]), ("star>5", []), ("star >= 1", 2)])
def test_feedback_that_is_not_positive_by_a_condition_as_gorses_is_left_behind(
    paths: list[Path], tmp_path: Path, condition: str, users: list[str] | int
) -> None:
    gorse.import_gorse(paths, tmp_path / "out", positive=[condition])
    stars = pl.read_csv(tmp_path / "out" / gorse.EVENTS).filter(pl.col("event_type") == "star")["user_id"].to_list()
    assert (stars if isinstance(users, list) else len(stars)) == users


def test_the_mapping_gives_a_type_of_gorses_own_a_weight(paths: list[Path], tmp_path: Path) -> None:
    gorse.import_gorse(paths, tmp_path / "out")
    read = mapping.read(tmp_path / "out" / gorse.MAPPING)
    assert read.event_type.names == {"dislike": "ignore", "read": "view"}
    assert read.weights == {"star": 2.0}


def test_a_mapping_that_was_changed_is_not_written_again(paths: list[Path], tmp_path: Path) -> None:
    gorse.import_gorse(paths, tmp_path / "out")
    changed = '[event_type.names]\nread = "view"\ndislike = "ignore"\n[weights]\nstar = 4\n'
    (tmp_path / "out" / gorse.MAPPING).write_text(changed)
    again = gorse.import_gorse(paths, tmp_path / "out")
    assert (tmp_path / "out" / gorse.MAPPING).read_text() == changed
    assert "mapping.toml was there already, and stays as it is" in again.render()


def test_csv_of_older_releases_is_read(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text(
        "item_id,is_hidden,categories,time_stamp,labels,description\na,1,x|y,2024-01-01,eco|new,A thing\n"
    )
    (tmp_path / "feedback.csv").write_text("feedback_type,user_id,item_id,time_stamp\nbuy,u,a,2024-05-01 10:00:00\n")
    imported = gorse.import_gorse([tmp_path / "items.csv", tmp_path / "feedback.csv"], tmp_path / "out")
    assert (imported.users, imported.hidden_items, imported.types) == (1, 1, {"buy": "purchase"})
    item = load(tmp_path / "out").catalogue.row(0, named=True)
    assert (item["title"], item["category"], item["available"]) == ("A thing", "x", False)
    assert (item["attr:labels.eco"], item["attr:categories.y"]) == ("yes", "yes")


@pytest.mark.parametrize("kept", [4, 8, 20, -12, -25])
def test_a_dump_that_is_cut_short_is_an_error_that_says_so(tmp_path: Path, kept: int) -> None:
    (path,) = as_dump(tmp_path)
    path.write_bytes(path.read_bytes()[:-12][:kept])
    with pytest.raises(DataError, match=r"gorse\.bin"):
        gorse.import_gorse([path], tmp_path / "out")
    assert not (tmp_path / "out" / gorse.EVENTS).exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\xff", "neither its dump nor text"),
        (b'{"UserId": "u"}\nno json\n', r"row 2: expected a JSON object"),
        (b'{"Name": "u"}\n', r"row 1: expected FeedbackType, ItemId or UserId, found Name"),
        (b'{"ItemId": ["a"]}\n', r"row 1: expected itemid to be a text"),
    ],
)
def test_a_file_that_is_none_of_gorses_is_an_error_that_names_it(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "export"
    path.write_bytes(content)
    with pytest.raises(DataError, match=says):
        gorse.import_gorse([path], tmp_path / "out")


def test_a_condition_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="such as star>=3"):
        gorse.import_gorse(as_dump(tmp_path), tmp_path / "out", positive=["star"])


def test_the_command_says_what_came_what_stayed_and_what_comes_next(paths: list[Path], tmp_path: Path) -> None:
    arguments = ["import-gorse", *map(str, paths), "--out", str(tmp_path / "out"), "--positive", "star>=3"]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert "5 events of 2 users, 2 items (1 hidden: not available)" in result.output
    assert f"next: trainer train --events {tmp_path / 'out' / 'events.csv'}" in result.output

    document = json.loads(CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False).stdout)
    assert (document["events"], document["users"], document["items"], document["hidden_items"]) == (5, 2, 2, 1)
    assert {"what", "count", "why"} == set(document["left_behind"][0])
