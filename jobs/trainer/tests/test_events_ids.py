"""Ids are strings and come out as they went in, whatever characters they hold, in every format."""

import csv
import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from trainer.shop_data import event_files, records
from trainer.shop_data.mapping import ColumnMapping

Ids = list[tuple[str, str]]

# Every character that UTF-8 can hold; an empty id is a missing one.
an_id = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
HEADER = ("user_id", "item_id", "timestamp")


def as_csv(ids: Ids, path: Path) -> None:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([HEADER, *((user, item, "2024-05-01") for user, item in ids)])
    path.write_bytes(text.getvalue().encode())


def as_json_lines(ids: Ids, path: Path) -> None:
    lines = [json.dumps(dict(zip(HEADER, (*pair, "2024-05-01"), strict=True)), ensure_ascii=False) for pair in ids]
    path.write_bytes("".join(line + "\n" for line in lines).encode())


def as_parquet(ids: Ids, path: Path) -> None:
    users, items = zip(*ids, strict=True)
    pl.DataFrame({"user_id": users, "item_id": items, "timestamp": ["2024-05-01"] * len(ids)}).write_parquet(path)


@pytest.mark.parametrize(("name", "write"), [("e.csv", as_csv), ("e.jsonl", as_json_lines), ("e.parquet", as_parquet)])
@settings(max_examples=60, deadline=None)
@given(ids=st.lists(st.tuples(an_id, an_id), min_size=1, max_size=20))
@example(
    ids=[("007", "17850.0"), (" inner space ", "null"), ("NaN", "1e3"), ("a\r\nb", '7" tin, red'), ("\ufeffü", "\x00")]
)
def test_any_ids_survive_every_format_unchanged(name: str, write: Callable[[Ids, Path], None], ids: Ids) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        write(ids, path)
        loaded = event_files.load(path, mapping=ColumnMapping(), quarantine_path=Path(folder, "quarantine.csv"))
    assert loaded.frame.select("user_id", "item_id").rows() == ids
    assert loaded.catalogue["item_id"].to_list() == sorted({item for _, item in ids}, key=str.encode)


@settings(max_examples=60, deadline=None)
@given(ids=st.lists(st.tuples(an_id, an_id), min_size=1, max_size=20), block_bytes=st.integers(64, 200))
def test_where_blocks_are_cut_makes_no_difference(ids: Ids, block_bytes: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "e.csv")
        as_csv(ids, path)
        (whole,) = records.read(path, separator=",")
        parts = list(records.read(path, separator=",", block_bytes=block_bytes))
    for name in ("rows", "fields"):
        assert [n for part in parts for n in getattr(part, name).tolist()] == getattr(whole, name).tolist()
    assert [text for part in parts for text in part.texts()] == whole.texts()
    assert b"".join(part.joined() for part in parts) == whole.joined()
    assert all(part.valid_utf8().all() for part in parts)
