"""Files as shops really have them: exports of spreadsheets, pandas and databases, cut short, packed or mistaken."""

import gzip
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from shop_folder import Shop

from recsys.errors import DataError
from trainer.shop_data import rows

HEADER = "user_id,item_id,timestamp\n"
GOOD = "u,i,2024-05-01\n"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_a_semicolon_export_in_cp1252_with_decimal_commas_and_a_total_at_the_end(shop: Shop) -> None:
    path = shop.file(
        "export.csv",
        "Kunde;Artikel;Zeit;Größe;Menge;Preis;;\r\n"
        "Müller;Jäckchen;2024-05-01 10:00;36½;2;1.234,50;;\r\n"
        "Weiß;Jäckchen;2024-05-02 10:00;38;0,5;99;;\r\n"
        "Weiß;Hut;2024-05-02 10:00;38;1;12.50;;\r\n"
        ";;;;3,5;1.333,50;;\r\n".encode("cp1252"),
    )
    loaded = shop.load(
        path,
        shop.mapping(
            'separator = ";"\nencoding = "cp1252"\ndecimal = ","\nthousands = "."\n'
            '[columns]\nuser_id = "Kunde"\nitem_id = "Artikel"\ntimestamp = "Zeit"\nquantity = "Menge"\n'
            '[item_columns]\nprice = "Preis"\nattributes = ["Größe"]\n'
        ),
    )
    assert loaded.frame.select("user_id", "item_id", "quantity").rows() == [
        ("Müller", "Jäckchen", 2.0),
        ("Weiß", "Jäckchen", 0.5),
    ]
    assert loaded.catalogue.select("price", "attr:Größe").rows() == [(99.0, "36½")]
    assert shop.rejected() == [(4, "unreadable price"), (5, "missing user_id")]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_a_byte_order_mark_says_what_the_text_is(shop: Shop, encoding: str) -> None:
    path = shop.file("events.csv", f"{HEADER}é,日,2024-05-01\n".encode(encoding))
    assert shop.load(path).frame.select("user_id", "item_id").rows() == [("é", "日")]


def test_bytes_that_an_encoding_does_not_have_cost_their_row_alone(shop: Shop) -> None:
    path = shop.file("events.csv", HEADER.encode() + b"caf\xe9,i,2024-05-01\nu\x81,i,2024-05-01\n")
    loaded = shop.load(path, shop.mapping('encoding = "cp1252"\n'))
    assert loaded.frame["user_id"].to_list() == ["café"]
    assert shop.rejected() == [(3, "invalid CP1252")]


def test_a_header_in_another_encoding_says_which_key_is_missing(shop: Shop) -> None:
    path = shop.file("events.csv", "user_id,item_id,timestamp,Größe\n".encode("cp1252") + GOOD.encode())
    with pytest.raises(DataError, match=r'row 1: .* encoding = "cp1252"'):
        shop.load(path)


def test_lines_may_end_in_carriage_returns_alone(shop: Shop) -> None:
    path = shop.file("events.csv", (HEADER + GOOD + "u,j,2024-05-02\n").replace("\n", "\r"))
    assert shop.load(path).frame["item_id"].to_list() == ["i", "j"]


def test_a_file_of_one_endless_line_is_an_error_that_names_it(shop: Shop) -> None:
    with pytest.raises(DataError, match=r"events\.csv row 1: expected names of columns"):
        shop.load(shop.file("events.csv", "x" * 200_000))


def test_columns_without_a_name_are_called_by_their_place(shop: Shop) -> None:
    path = shop.file("events.csv", "user_id,item_id,timestamp,,\n,i,2024-05-01,more,\nu,i,2024-05-01,,\n")
    assert shop.load(path).frame.height == 1
    assert pl.read_csv(shop.quarantine)["column 4"].to_list() == ["more"]


def test_the_wrong_separator_is_named_with_the_right_one(shop: Shop) -> None:
    path = shop.file("events.csv", "user_id;item_id;timestamp\nu;i;2024-05-01\n")
    with pytest.raises(DataError, match='separator = ";" would part it'):
        shop.load(path)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("events.csv", b"PK\x03\x04rest", "a zip archive: unpack it"),
        ("events.csv", gzip.compress(b"text", mtime=0), r"gzipped text: end its name in \.gz"),
        (
            "events.json",
            b'{"orders": [{"user_id": "u"},\n{"user_id": "v"}]}',
            "a JSON object on each line, or an array of them, found .*user_id",
        ),
        ("events.csv.gz", gzip.compress(HEADER.encode(), mtime=0) + b"garbage", "cannot be read"),
    ],
)
def test_a_file_that_is_something_else_is_named_as_what_it_is(shop: Shop, name: str, content: bytes, says: str) -> None:
    path = shop.folder / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"{name}: .*{says}"):
        shop.load(path)


@pytest.mark.parametrize("name", ["events.csv", "events.parquet"])
def test_a_file_of_a_header_alone_is_a_shop_without_history(shop: Shop, name: str) -> None:
    path = shop.folder / name
    if name == "events.csv":
        path.write_text(HEADER)
    else:
        pl.DataFrame(schema=dict.fromkeys(("user_id", "item_id", "timestamp"), pl.String)).write_parquet(path)
    items = shop.file("items.csv", "item_id,title\na,Lamp\n")
    loaded = shop.load(path, catalogue=items)
    assert (loaded.frame.height, loaded.report.events.read) == (0, 0)
    assert loaded.catalogue.select("item_id", "title").rows() == [("a", "Lamp")]


def test_where_pandas_wrote_nan_nothing_stands(shop: Shop) -> None:
    path = shop.folder / "events.parquet"
    nan = float("nan")
    pl.DataFrame(
        {
            "user_id": [1.0, nan, 3.0],
            "item_id": [7.0, 8.0, 9.0],
            "timestamp": ["2024-05-01"] * 3,
            "price": [nan, 1.0, 2.5],
            "quantity": [2.0, 1.0, nan],
        }
    ).write_parquet(path)
    loaded = shop.load(path)
    assert loaded.frame.select("user_id", "item_id", "quantity").rows() == [("1.0", "7.0", 2.0), ("3.0", "9.0", None)]
    assert loaded.catalogue.select("item_id", "price").rows() == [("7.0", None), ("9.0", 2.5)]
    assert shop.rejected() == [(2, "missing user_id")]


def test_parquet_times_beyond_any_calendar_cannot_be_read_and_bytes_that_are_no_text_are_missing(shop: Shop) -> None:
    path = shop.folder / "events.parquet"
    far = pl.Series([0, 2**63 - 1, -(2**62)]).cast(pl.Datetime("ms"))
    pl.DataFrame(
        {"user_id": [b"u", b"v", b"\xff"], "item_id": ["i"] * 3, "timestamp": far, "took": [timedelta(1)] * 3}
    ).write_parquet(path)
    assert shop.load(path).frame["user_id"].to_list() == ["u"]
    assert shop.rejected() == [(2, "unreadable timestamp"), (3, "missing user_id")]
    dates = pl.Series([0, -800_000, 2**31 - 1], dtype=pl.Int32).cast(pl.Date)
    pl.DataFrame({"user_id": ["u"] * 3, "item_id": ["i"] * 3, "timestamp": dates}).write_parquet(path)
    assert shop.load(path).frame["timestamp"].to_list() == [
        datetime.combine(date(1970, 1, 1), datetime.min.time(), UTC)
    ]


def test_half_of_a_character_in_json_is_no_id_and_a_whole_one_is(shop: Shop) -> None:
    line = '{"user_id": "%s", "item_id": "i", "timestamp": "2024-05-01"}\n'
    halves = [r"\ud800", r"x\udc00y", r"\ud83d\ud83d\ude00", r"\\\uDBFF"]
    path = shop.file("events.jsonl", "".join(line % one for one in [r"\ud83d\ude00", r"\\ud800", *halves]))
    assert shop.load(path).frame["user_id"].to_list() == ["😀", r"\ud800"]
    assert shop.rejected() == [(row, "half of a character (a lone surrogate)") for row in (3, 4, 5, 6)]


@pytest.mark.parametrize("value", ["1" * 5000, "[" * 100_000 + "]" * 100_000, '{"a":' * 100_000 + "1" + "}" * 100_000])
def test_json_that_no_reader_takes_costs_its_row_alone(shop: Shop, value: str) -> None:
    line = '{"user_id": %s, "item_id": "i", "timestamp": "2024-05-01"}\n'
    loaded = shop.load(shop.file("events.jsonl", line % value + line % '"u"' + line % "12345678901234567890123"))
    assert loaded.frame["user_id"].to_list() == ["u", "12345678901234567890123"]
    assert shop.rejected() == [(1, "not a JSON object")]


def test_ids_that_no_request_could_name_are_rejected(shop: Shop) -> None:
    long = "é" * 513
    path = shop.file("events.csv", f"{HEADER}{long},i,2024-05-01\nu,{long},2024-05-01\n{long[1:]},i,2024-05-01\n")
    items = shop.file("items.csv", f"item_id\n{long}\n")
    assert shop.load(path, catalogue=items).frame["user_id"].to_list() == [long[1:]]
    assert sorted(shop.rejected()) == [
        (2, "item_id longer than 512 characters"),
        (2, "user_id longer than 512 characters"),
        (3, "item_id longer than 512 characters"),
    ]


def test_an_amount_that_no_shop_can_mean_is_unreadable(shop: Shop) -> None:
    path = shop.file("events.csv", "user_id,item_id,timestamp,quantity\nu,i,2024-05-01,1e308\nu,i,2024-05-01,1e12\n")
    assert shop.load(path).frame["quantity"].to_list() == [1e12]


def a_year(first: date = date(2023, 6, 1)) -> str:
    return HEADER + "".join(f"u,i,{first + timedelta(days=day)}\n" for day in range(300))


def test_times_far_before_all_the_rest_are_set_aside_with_their_rows(shop: Shop) -> None:
    path = shop.file("events.csv", a_year() + "u,i,1970-01-01\nu,i,2021-01-01\n")
    loaded = shop.load(path)
    assert (loaded.frame.height, shop.rejected()) == (301, [(302, "timestamp far before the others")])
    assert "row 302: timestamp=1970-01-01" in loaded.report.render()
    assert "[timestamp] farthest" in loaded.report.render()


@pytest.mark.parametrize(("farthest", "kept"), [("0", 302), ("1", 300), ("60", 302)])
def test_how_far_is_too_far_is_a_setting(shop: Shop, farthest: str, kept: int) -> None:
    path = shop.file("events.csv", a_year() + "u,i,1990-01-01\nu,i,2021-01-01\n")
    assert shop.load(path, shop.mapping(f"[timestamp]\nfarthest = {farthest}\n")).frame.height == kept


def test_what_came_long_after_the_rest_is_kept(shop: Shop) -> None:
    path = shop.file("events.csv", a_year(date(2011, 1, 1)) + "u,i,2024-05-31\n")
    assert shop.load(path).frame.height == 301


def test_an_example_shows_the_value_that_is_to_blame_first_and_whole(shop: Shop) -> None:
    path = shop.file(
        "events.csv", f"title,note,user_id,item_id,timestamp,quantity\n{'t' * 90},{'n' * 90},u,i,2024-05-01,a few\n"
    )
    lines = shop.load(path).report.render().splitlines()
    assert f"row 2: quantity=a few title={'t' * 59}… note=" in lines[2]


def test_an_example_shows_the_bytes_that_could_not_be_read(shop: Shop) -> None:
    path = shop.file("events.csv", HEADER.encode() + b"u" * 500 + b"\xff,i,2024-05-01\n")
    assert "uuu\N{REPLACEMENT CHARACTER},i,2024-05-01" in shop.load(path).report.render()


@pytest.mark.parametrize(
    ("column", "values", "hint"),
    [
        ("timestamp", ["01/02/2024", "31/12/2023"], 'begin with the day: under [timestamp] put format = "%d/%m/%Y"'),
        ("timestamp", ["1.31.24 9:05 PM"], 'begin with the month: under [timestamp] put format = "%m.%d.%y %I:%M %p"'),
        ("timestamp", ["01-02-2024 10:00:00"], 'format = "%d-%m-%Y %H:%M:%S" if the day comes first'),
        ("timestamp", ["20240501"], '"%Y%m%d"'),
        ("event_type", ["wish"], "weight under [weights]"),
        ("value", ["12,50"], 'decimal = ","'),
    ],
)
def test_the_report_says_what_would_mend_the_rows(shop: Shop, column: str, values: list[str], hint: str) -> None:
    usual = {"user_id": "u", "item_id": "i", "timestamp": "2024-05-01", "event_type": "view", "value": "1"}
    frame = pl.DataFrame([{**usual, column: value} for value in values])
    assert hint in shop.load(shop.file("events.csv", frame.write_csv())).report.render()


def test_ids_that_pandas_made_floats_are_told(shop: Shop) -> None:
    report = shop.load(shop.file("events.csv", f"{HEADER}12748.0,i,2024-05-01\n12749.0,j.0,2024-05-01\n")).report
    assert report.like_floats == ("user_id",)
    assert "user_id: all end in .0, as pandas writes whole numbers beside missing ones" in report.render()


@pytest.mark.parametrize("rows_a_part", [1, 3, 4, 10, 11])
def test_parts_of_a_parquet_file_have_the_rows_of_the_whole_and_their_numbers(tmp_path: Path, rows_a_part: int) -> None:
    path = tmp_path / "events.parquet"
    pl.DataFrame({"user_id": [f"u{n}" for n in range(10)], "item_id": ["a"] * 10}).write_parquet(path)
    [source] = rows.sources(path, separator=",", encoding="utf-8")
    batches = [one for part in rows.parts(source, rows=rows_a_part) for one in rows.batches(part, also=[])]
    assert np.concatenate([one.rows for one in batches]).tolist() == list(range(1, 11))
    assert pl.concat([one.frame for one in batches])["user_id"].to_list() == [f"u{n}" for n in range(10)]


def test_a_text_file_is_one_part(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text("user_id,item_id\na,b\nc,d\n", encoding="utf-8")
    [source] = rows.sources(path, separator=",", encoding="utf-8")
    assert rows.parts(source, rows=1) == [source]
