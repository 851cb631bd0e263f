"""The mappings of examples/mappings read the samples beside them: what they say is what comes out."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from trainer.importing import gorse
from trainer.shop_data import event_files, mapping
from trainer.shop_data.event_files import LoadedEvents

EXAMPLES = Path(__file__).parents[3] / "examples"
MAPPINGS = EXAMPLES / "mappings"
ITEMS = {"amazon_personalize": "items.csv", "google_retail": "products.jsonl", "gorse": "items.jsonl"}
IGNORED = "of a type that the mapping ignores"
EMPTY = "nothing in the list that the mapping reads each element of"
SINGLE = "anonymous, of a session with a single item"
EXPECTED = {  # folder and file → rows read, kept, rejected and ignored; events by type
    ("amazon_personalize", "interactions.csv"): (
        (6, 5, {"unknown event type": 1}, {}),
        {"view": 3, "cart": 1, "purchase": 1},
    ),
    ("google_retail", "events.jsonl"): (
        (9, 6, {}, {EMPTY: 2, SINGLE: 1}),
        {"view": 3, "cart": 1, "purchase": 2},
    ),
    ("ga4_bigquery", "events.jsonl"): (
        (11, 5, {}, {EMPTY: 2, IGNORED: 3, SINGLE: 1}),
        {"view": 1, "cart": 1, "purchase": 2, "remove": 1},
    ),
    ("shopify_orders", "orders.csv"): ((6, 2, {"missing user_id": 1}, {IGNORED: 3}), {"purchase": 2}),
    ("woocommerce_orders", "orders.csv"): ((5, 3, {}, {IGNORED: 2}), {"purchase": 3}),
    ("gorse", "feedback.jsonl"): (
        (4, 3, {"unreadable timestamp": 1}, {}),
        {"view": 1, "star": 1, "purchase": 1},
    ),
    ("semicolon_latin_1", "export.csv"): (
        (6, 3, {"unreadable timestamp": 1, "a totals line, not a row": 1, "a line of text, not a row": 1}, {}),
        {"purchase": 3},
    ),
}
QUANTITIES = {  # folder → pieces of what was bought or given back, by item
    "google_retail": [("sku-lamp", 1.0), ("sku-mug", 2.0)],
    "ga4_bigquery": [("lamp-7", 1.0), ("mug-1", 1.0), ("mug-1", 2.0)],
    "shopify_orders": [("LAMP-7-B", 1.0), ("MUG-1", 2.0)],
    "woocommerce_orders": [("LAMP-7", 1.0), ("MUG-1", 2.0), ("RUG-2", 1.0)],
    "semicolon_latin_1": [("L-07", 1.0), ("T-01", 2.0), ("V-99", 1.0)],
}


def load(folder: str, file: str, quarantine: Path) -> LoadedEvents:
    items = ITEMS.get(folder)
    return event_files.load(
        MAPPINGS / folder / file,
        mapping=mapping.read(MAPPINGS / folder / "mapping.toml"),
        catalogue_path=None if items is None else MAPPINGS / folder / items,
        quarantine_path=quarantine / "quarantine.csv",
        now=datetime(2024, 6, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize(("sample", "expected"), EXPECTED.items(), ids=[folder for folder, _ in EXPECTED])
def test_a_sample_is_read_as_its_mapping_says(
    tmp_path: Path, sample: tuple[str, str], expected: tuple[tuple[int, int, dict[str, int], dict[str, int]], object]
) -> None:
    report = load(*sample, tmp_path).report
    (read, kept, rejected, ignored), by_type = expected
    assert (report.events.read, report.events.kept) == (read, kept)
    assert {one.reason: one.rows for one in report.events.rejected} == rejected
    assert report.events.ignored == ignored
    assert report.events_by_type == by_type
    assert report.catalogue is None or report.catalogue.rejected == ()


def test_every_example_is_read_by_this_test() -> None:
    assert {folder.name for folder in MAPPINGS.iterdir() if folder.is_dir()} == {folder for folder, _ in EXPECTED}
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert all(f"mappings/{folder}" in readme for folder, _ in EXPECTED)


def test_items_come_with_what_the_catalogues_say(tmp_path: Path) -> None:
    retail = load("google_retail", "events.jsonl", tmp_path).catalogue.row(0, named=True)
    assert retail == {
        "item_id": "sku-lamp",
        "title": "Desk lamp",
        "category": "Home > Lighting",
        "price": 39.9,
        "image_url": "https://shop.example/lamp.jpg",
        "available": True,
        "vector": None,
        "attr:brand": "Brightside",
    }
    available = load("google_retail", "events.jsonl", tmp_path).catalogue["available"].to_list()
    assert available == [True, False, True]
    assert load("gorse", "feedback.jsonl", tmp_path).catalogue["available"].to_list() == [True, False]
    ga4 = load("ga4_bigquery", "events.jsonl", tmp_path).catalogue
    assert ga4.select("item_id", "title", "price", "attr:brand").rows()[0] == (
        "lamp-7",
        "Desk lamp",
        39.9,
        "Brightside",
    )


@pytest.mark.parametrize("sample", [one for one in EXPECTED if one[0] in QUANTITIES], ids=lambda one: one[0])
def test_pieces_are_read_where_an_export_says_how_many(tmp_path: Path, sample: tuple[str, str]) -> None:
    bought = load(*sample, tmp_path).frame.filter(pl.col("event_type").cast(pl.String).is_in(["purchase", "remove"]))
    assert bought.sort("item_id", "quantity").select("item_id", "quantity").rows() == QUANTITIES[sample[0]]


def test_what_a_visitor_did_before_signing_in_is_the_users(tmp_path: Path) -> None:
    for folder in ("google_retail", "ga4_bigquery"):
        frame = load(folder, "events.jsonl", tmp_path).frame
        assert set(frame.filter(pl.col("event_type").cast(pl.String) == "cart")["user_id"]) == {"cust-9"}


def test_the_german_export_has_whole_customers_and_prices(tmp_path: Path) -> None:
    loaded = load("semicolon_latin_1", "export.csv", tmp_path)
    assert loaded.frame.select("user_id", "item_id", "quantity", "value").rows() == [
        ("4711", "L-07", 1.0, 39.9),
        ("4711", "T-01", 2.0, 9.0),
        ("4712", "V-99", 1.0, 1234.5),
    ]
    assert loaded.catalogue.filter(pl.col("item_id") == "V-99")["title"].to_list() == ['Vitrine "Größe XL"']


def test_the_binary_dump_of_gorse_says_what_its_bulk_export_says(tmp_path: Path) -> None:
    folder = MAPPINGS / "gorse"
    of_dump = gorse.import_gorse([folder / "dump.bin"], tmp_path / "dump")
    files = [folder / f"{name}.jsonl" for name in ("users", "items", "feedback")]
    of_lines = gorse.import_gorse(files, tmp_path / "lines")
    assert (of_dump.users, of_dump.items, of_dump.hidden_items, of_dump.events) == (2, 2, 1, 4)
    for name in (gorse.EVENTS, gorse.ITEMS, gorse.MAPPING):
        assert (tmp_path / "dump" / name).read_bytes() == (tmp_path / "lines" / name).read_bytes()
    assert of_dump.left_behind == of_lines.left_behind
