"""Vectors that a shop brings in its catalogue: every format gives the same, and what is wrong is told of its row."""

import json
from pathlib import Path

import polars as pl
import pytest
from shop_folder import Shop

from recsys.item_vector import packed

EVENTS = "user_id,item_id,timestamp\nu1,a,2024-01-02\nu1,b,2024-01-03\nu2,a,2024-01-04\n"
VECTORS = {"a": [0.5, -1.25, 2.0], "b": [1e-3, 0.0, 0.25]}
EXPECTED = {item_id: packed(vector) for item_id, vector in VECTORS.items()}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def rows() -> list[dict[str, object]]:
    return [{"item_id": item_id, "embedding": vector} for item_id, vector in VECTORS.items()]


def written(shop: Shop, form: str) -> Path:
    if form == "jsonl":
        return shop.file("items.jsonl", "".join(json.dumps(row) + "\n" for row in rows()))
    if form == "json":
        return shop.file("items.json", json.dumps(rows()))
    if form.startswith("parquet"):
        kind = pl.Array(pl.Float32, 3) if form == "parquet-array" else pl.List(pl.Float32)
        path = shop.folder / "items.parquet"
        pl.DataFrame(rows()).with_columns(pl.col("embedding").cast(kind)).write_parquet(path)
        return path
    text = {
        "csv-spaces": lambda vector: " ".join(map(str, vector)),
        "csv-commas": lambda vector: f'"{",".join(map(str, vector))}"',
        "csv-json": lambda vector: f'"{json.dumps(vector)}"',
        "csv-semicolons": lambda vector: ";".join(map(str, vector)),
    }[form]
    lines = [f"{item_id},{text(vector)}\n" for item_id, vector in VECTORS.items()]
    return shop.file("items.csv", "item_id,embedding\n" + "".join(lines))


@pytest.mark.parametrize(
    "form",
    [
        "jsonl",
        "json",
        "parquet-list",
        "parquet-array",
        "csv-spaces",
        "csv-commas",
        "csv-json",
        "csv-semicolons",
    ],
)
def test_every_format_gives_the_same(shop: Shop, form: str) -> None:
    mapping = shop.mapping('[catalogue]\nvector = "embedding"\n')
    loaded = shop.load(shop.file("events.csv", EVENTS), mapping, catalogue=written(shop, form))
    assert dict(loaded.catalogue.select("item_id", "vector").iter_rows()) == EXPECTED
    assert dict(loaded.first_told.select("item_id", "vector").iter_rows()) == EXPECTED


def test_decimal_commas_are_read_where_the_mapping_says_so(shop: Shop) -> None:
    items = shop.file("items.csv", "item_id\tvector\na\t0,5;-1,25;2,0\nb\t0,001 0 0,25\n")
    mapping = shop.mapping('separator = "\\t"\ndecimal = ","\n')
    events = shop.file("events.csv", EVENTS.replace(",", "\t"))
    loaded = shop.load(events, mapping, catalogue=items)
    assert dict(loaded.catalogue.select("item_id", "vector").iter_rows()) == EXPECTED


def test_what_is_no_vector_is_told_of_its_row(shop: Shop) -> None:
    wrong = ["1 2 3", "3 2 1", "1 2", "1 nan 3", "1 two 3", "0 0 0", "", "1 1 1", " ".join(["1"] * 4097)]
    items = shop.file("items.csv", "item_id,vector\n" + "".join(f"i{n},{text}\n" for n, text in enumerate(wrong)))
    loaded = shop.load(shop.file("events.csv", EVENTS), catalogue=items)
    assert dict(shop.rejected()) == {
        4: "vector of 2 numbers, expected 3 as most have",
        5: "unreadable vector: expected finite numbers, found NaN or infinity",
        6: "unreadable vector: expected numbers",
        10: "unreadable vector: expected 1 to 4096 numbers, found 4097",
    }
    kept = loaded.catalogue.filter(pl.col("item_id").str.starts_with("i"))
    assert kept["item_id"].to_list() == ["i0", "i1", "i5", "i6", "i7"]
    assert kept["vector"].is_null().to_list() == [False, False, True, True, False]  # zeros say nothing
    assert "item_id=i2" in loaded.report.render()


def test_a_catalogue_without_vectors_has_no_column_of_them(shop: Shop) -> None:
    loaded = shop.load(shop.file("events.csv", EVENTS), catalogue=shop.file("items.csv", "item_id,title\na,Lamp\n"))
    assert "vector" not in loaded.catalogue.columns
