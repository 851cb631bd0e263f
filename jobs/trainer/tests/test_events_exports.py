"""What real exports have: two columns of time, sessions, ids with decimals, totals, lists and fields inside fields."""

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from shop_folder import Shop
from typer.testing import CliRunner

from recsys.errors import DataError
from trainer.__main__ import app
from trainer.shop_data import json_array, mapping, nesting, proposal, samples, shaping
from trainer.shop_data.mapping import ColumnMapping, FillDown

HEADER = "user_id,item_id,timestamp\n"


def proposed(path: Path, terms: ColumnMapping) -> list[str]:
    sample = samples.of(path, terms)
    assert sample is not None
    return proposal.lines(sample, terms)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


GERMAN = (
    "Kunde;Artikel;Datum;Uhrzeit;Menge;Preis\r\n"
    "Müller;Jäckchen;01.05.2024;10:00;2;1.234,50\r\n"
    "Weiß;Jäckchen;13.05.2024;18:30;1;99,00\r\n"
    "Summe;;;;3;1.333,50\r\n"
    "Stand: 14.05.2024\r\n"
).encode("latin-1")
GERMAN_MAPPING = """
separator = ";"
encoding = "cp1252"
decimal = ","
thousands = "."
[columns]
user_id = "Kunde"
item_id = "Artikel"
timestamp = ["Datum", "Uhrzeit"]
quantity = "Menge"
[item_columns]
price = "Preis"
[timestamp]
format = "%d.%m.%Y %H:%M"
timezone = "Europe/Berlin"
"""


def test_a_latin_1_export_with_date_and_time_apart_a_totals_line_and_a_footer(shop: Shop) -> None:
    loaded = shop.load(shop.file("export.csv", GERMAN), shop.mapping(GERMAN_MAPPING))
    assert loaded.frame.select("user_id", "item_id", "quantity").rows() == [
        ("Müller", "Jäckchen", 2.0),
        ("Weiß", "Jäckchen", 1.0),
    ]
    assert loaded.frame["timestamp"][0] == datetime(2024, 5, 1, 8, tzinfo=UTC)
    assert shop.rejected() == [(4, "a totals line, not a row"), (5, "a line of text, not a row")]
    assert loaded.catalogue.select("item_id", "price").rows() == [("Jäckchen", 99.0)]


def test_validate_proposes_what_the_file_itself_tells_and_that_reads_it(shop: Shop) -> None:
    path = shop.file("export.csv", GERMAN)
    result = CliRunner().invoke(app, ["validate", "--events", str(path), "--artifact-dir", str(shop.folder)])
    assert isinstance(result.exception, DataError)
    said = str(result.exception)
    assert "expected text in the encoding" in said or "expected a column" in said
    for line in (
        'separator = ";"',
        'encoding = "cp1252"',
        'decimal = ","',
        'thousands = "."',
        'user_id = "Kunde"',
        'item_id = "Artikel"',
        'timestamp = ["Datum", "Uhrzeit"]',
        'format = "%d.%m.%Y %H:%M"',
    ):
        assert f"  {line}\n" in f"{said}\n"
    named = said.replace('# user_id = "…"', 'user_id = "Kunde"').replace('# item_id = "…"', 'item_id = "Artikel"')
    proposed = named.partition("its mapping:\n")[2]
    assert shop.load(path, shop.mapping(proposed)).report.events.kept == 2


@pytest.mark.parametrize(
    ("header", "row", "expected"),
    [
        (
            "StockCode,InvoiceDate,CustomerID,Country",
            "85123A,2010-12-01 08:26:00,17850,France",
            ['user_id = "CustomerID"', 'item_id = "StockCode"', 'timestamp = "InvoiceDate"'],
        ),
        (
            "SKU,Tag,Uhrzeit,Kundennr",
            "85123A,2010-12-01,08:26,17850",
            ['user_id = "Kundennr"', 'item_id = "SKU"', 'timestamp = ["Tag", "Uhrzeit"]'],
        ),
        (
            "item_id,timestamp,customer_id,User No",
            "i,2010-12-01,c,u",
            ['# user_id = "…"  # which of "customer_id", "User No"?'],
        ),
    ],
    ids=["online-retail", "date-and-time-apart", "two-that-could-be-the-customer"],
)
def test_columns_are_proposed_by_what_they_are_called_and_dates_by_how_they_look(
    shop: Shop, header: str, row: str, expected: list[str]
) -> None:
    path = shop.file("e.csv", f"{header}\n{row}\n")
    assert proposed(path, ColumnMapping()) == ["", "[columns]", *expected]


def test_nothing_is_proposed_where_the_mapping_reads_the_file(shop: Shop) -> None:
    path = shop.file("export.csv", GERMAN)
    assert proposed(path, shop.mapping(GERMAN_MAPPING)) == []
    assert proposed(shop.file("e.csv", f"{HEADER}u,i,2024-05-01\n"), ColumnMapping()) == []


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1,234", "5,678"], []),  # thousands or fractions: the file does not tell
        (["1,5", "2"], ['decimal = ","']),
        (["1.234,50"], ['decimal = ","', 'thousands = "."']),
        (["1.5"], []),
    ],
)
def test_a_decimal_comma_is_proposed_where_no_other_reading_is_left(
    shop: Shop, values: list[str], expected: list[str]
) -> None:
    rows = "".join(f"u;i;2024-05-01;{value}\n" for value in values)
    path = shop.file("e.csv", f"user_id;item_id;timestamp;value\n{rows}")
    assert proposed(path, shop.mapping('separator = ";"\n')) == expected


def test_a_date_that_may_begin_with_day_or_month_is_proposed_both_ways(shop: Shop) -> None:
    path = shop.file("e.csv", f"{HEADER}u,i,05/06/2024\n")
    assert proposed(path, ColumnMapping()) == [
        "",
        "[timestamp]",
        'format = "%d/%m/%Y"  # or "%m/%d/%Y", if the month comes first',
    ]


@pytest.mark.parametrize(
    "text", ["Total", "Grand Total:", "SUMME", "Gesamtsumme", "Somme ", '"Total général"', "Итого"]
)
def test_a_line_that_begins_like_a_total_and_lacks_what_rows_need_is_called_one(shop: Shop, text: str) -> None:
    path = shop.file("e.csv", f"{HEADER}u,i,2024-05-01\n{text},,\nTotal Tools Ltd,i,2024-05-01\n{text},3\n")
    assert shop.load(path).frame["user_id"].to_list() == ["u", "Total Tools Ltd"]
    assert sorted(shop.rejected()) == [(3, "a totals line, not a row"), (5, "a totals line, not a row")]


def test_a_header_in_the_middle_is_called_one(shop: Shop) -> None:
    shop.load(shop.file("e.csv", f"{HEADER}u,i,2024-05-01\n{HEADER}u,j,2024-05-01\n"))
    assert shop.rejected() == [(3, "the header again, not a row")]


@pytest.mark.parametrize("decimals", [",0", ",00", ".0"])
def test_ids_with_decimals_are_noticed_and_mended_beside_a_decimal_comma_too(shop: Shop, decimals: str) -> None:
    rows = f"12748{decimals};22.000;2024-05-01;1,5\n13047{decimals};22.000;2024-05-01;2,5\n"
    path = shop.file("e.csv", f"user_id;item_id;timestamp;value\n{rows}")
    german = 'separator = ";"\ndecimal = ","\nthousands = "."\n'
    assert "whole_ids = true" in shop.load(path, shop.mapping(german)).report.render()
    loaded = shop.load(path, shop.mapping(f"whole_ids = true\n{german}"))
    assert loaded.frame["user_id"].to_list() == ["12748", "13047"]
    assert loaded.frame["item_id"].to_list() == ["22.000"] * 2  # parts thousands here


def test_ids_with_decimals_are_whole_numbers_in_events_and_items_where_the_mapping_says_so(shop: Shop) -> None:
    events = shop.file("e.csv", f"{HEADER}12748.0,22423.0,2024-05-01\n12748,85123A,2024-05-02\nv1.0,007,2024-05-03\n")
    items = shop.file("items.csv", "item_id,title\n22423.00,Cake stand\n")
    kept = shop.load(events, catalogue=items)
    assert kept.frame["user_id"].n_unique() == 3
    assert "user_id: 1 of 3 are whole numbers that end in .0, 1 of them also without" in kept.report.render()
    assert "hint: whole_ids = true in the mapping reads 12748.0 as 12748" in kept.report.render()
    whole = shop.load(events, shop.mapping("whole_ids = true\n"), items)
    assert whole.frame.select("user_id", "item_id").rows() == [("12748", "22423"), ("12748", "85123A"), ("v1.0", "007")]
    assert whole.catalogue.filter(pl.col("item_id") == "22423")["title"].to_list() == ["Cake stand"]
    assert "whole_ids" not in whole.report.render()


def test_ids_that_a_spreadsheet_has_rounded_are_told(shop: Shop) -> None:
    report = shop.load(shop.file("e.csv", f"{HEADER}1.23457E+12,i,2024-05-01\n")).report
    assert "user_id: 1 of 1 look like 1.23457E+12: a spreadsheet has rounded them" in report.render()


def test_what_a_session_did_is_its_users_and_others_count_with_two_items(shop: Shop) -> None:
    path = shop.file(
        "e.csv",
        "user_id,session_id,item_id,timestamp\n"
        ",s1,a,2024-05-01\n"
        "u,s1,b,2024-05-02\n"
        "v,s1,c,2024-05-03\n"
        ",s2,a,2024-05-01\n"
        ",s2,b,2024-05-02\n"
        ",s3,a,2024-05-01\n"
        ",,a,2024-05-01\n",
    )
    loaded = shop.load(path)
    pairs = set(loaded.frame.select("user_id", "item_id").rows())
    assert pairs == {("u", "a"), ("u", "b"), ("v", "c"), ("session:s2", "a"), ("session:s2", "b")}
    assert shop.rejected() == [(8, "missing user_id")]
    events = loaded.report.events
    assert (events.read, events.kept, events.rows_rejected) == (7, 5, 1)
    assert events.ignored == {"anonymous, of a session with a single item": 1}
    assert loaded.report.users == 3
    assert "(1 of them anonymous sessions)" in loaded.report.render()


def test_a_file_of_sessions_alone_needs_no_column_of_users(shop: Shop) -> None:
    path = shop.file("e.csv", "visit,item_id,timestamp\ns,a,2024-05-01\ns,b,2024-05-01\n")
    loaded = shop.load(path, shop.mapping('[columns]\nsession_id = "visit"\n'))
    assert loaded.frame["user_id"].to_list() == ["session:s"] * 2


def event(**fields: object) -> str:
    return json.dumps({"user_id": "u", "item_id": "i", "timestamp": "2024-05-01"} | fields)


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("name", ["e.json", "e.jsonl", "e.json.gz"])
def test_a_json_array_is_read_as_its_objects(shop: Shop, name: str, indent: int | None) -> None:
    odd = 'a "quoted\\" \\\\ [bracket], {brace}'
    elements = [{"user_id": odd, "item_id": 17850.0, "timestamp": "2024-05-01"}, 3, {"user_id": "v"}, []]
    loaded = shop.load(shop.file(name, json.dumps(elements, indent=indent)))
    assert loaded.frame.select("user_id", "item_id").rows() == [(odd, "17850")]
    assert sorted(shop.rejected()) == [(2, "not a JSON object"), (3, "missing item_id"), (4, "not a JSON object")]


@pytest.mark.parametrize("block_bytes", [40, 64, 100, 1 << 20])
def test_where_blocks_cut_an_array_makes_no_difference(shop: Shop, block_bytes: int) -> None:
    texts = [r"\\\\", 'x"y', "},{", "\n", "é" * 9, ""]
    path = shop.file("e.json", json.dumps([{"t": text} for text in texts], indent=2, ensure_ascii=False) + "\n\n")
    parts = list(json_array.read(path, block_bytes=block_bytes))
    assert [json.loads(text)["t"] for part in parts for text in part.texts()] == texts
    assert [row for part in parts for row in part.rows.tolist()] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("content", ["[]", " [ ] \n", "[\n\n]"])
def test_an_empty_array_is_a_shop_without_history(shop: Shop, content: str) -> None:
    assert shop.load(shop.file("e.json", content)).frame.height == 0


@pytest.mark.parametrize("content", ['[{"a": 1}', '[{"a": 1},', '[{"a": {]', '[{"a": 1}] and more'])
def test_an_array_that_does_not_end_as_it_should_is_an_error_that_names_it(shop: Shop, content: str) -> None:
    with pytest.raises(DataError, match=r"e\.json"):
        shop.load(shop.file("e.json", content))


def test_fields_inside_fields_are_read_by_their_path(shop: Shop) -> None:
    lines = [
        event(
            customer={"id": 12, "tags": ["vip", "new"]}, params=[{"key": "a", "value": 1}, {"name": "b", "value": 2.5}]
        ),
        event(customer=None, user_id="by name", params=[]),
    ]
    path = shop.file("e.jsonl", "\n".join(lines))
    loaded = shop.load(
        path,
        shop.mapping(
            '[columns]\nuser_id = "customer.id"\nvalue = "params[b].value"\n'
            '[item_columns]\ncategory = "customer.tags[1]"\nattributes = {first = "params[0].value"}\n'
        ),
    )
    assert loaded.frame.select("user_id", "value").rows() == [("12", 2.5)]
    assert loaded.catalogue.select("category", "attr:first").rows() == [("new", "1")]
    assert shop.rejected() == [(2, "missing user_id")]


def test_an_order_is_an_event_for_each_element_of_its_list(shop: Shop) -> None:
    path = shop.file(
        "e.json",
        json.dumps(
            [
                {"who": "u", "at": "2024-05-01", "lines": [{"sku": "a", "n": 2}, {"product": {"id": "x"}}, None]},
                {"who": "v", "at": "2024-05-02", "lines": []},
                {"who": "w", "at": "2024-05-03", "lines": {"sku": "b", "n": 1}},
            ]
        ),
    )
    loaded = shop.load(
        path,
        shop.mapping(
            'each = "lines"\n[columns]\nuser_id = "who"\nitem_id = "lines.sku"\ntimestamp = "at"\n'
            'quantity = "lines.n"\n'
        ),
    )
    assert loaded.frame.select("user_id", "item_id", "quantity").rows() == [("u", "a", 2.0), ("w", "b", 1.0)]
    assert shop.rejected() == [(1, "missing item_id")]
    assert loaded.report.events.ignored == {"nothing in the list that the mapping reads each element of": 2}


def test_nested_parquet_is_read_by_path_and_by_element(shop: Shop) -> None:
    path = shop.folder / "e.parquet"
    pl.DataFrame(
        {
            "user": [{"id": "u"}, {"id": None}],
            "items": [[{"item_id": "a", "price": 2.5}, {"item_id": "b", "price": None}], []],
            "timestamp": [datetime(2024, 5, 1)] * 2,
        }
    ).write_parquet(path)
    terms = 'each = "items"\n[columns]\nuser_id = "user.id"\nitem_id = "items.item_id"\n'
    loaded = shop.load(path, shop.mapping(f'{terms}[item_columns]\nprice = "items.price"\n'))
    assert loaded.catalogue.select("item_id", "price").rows() == [("a", 2.5), ("b", None)]
    assert loaded.report.events.ignored == {"nothing in the list that the mapping reads each element of": 1}


def test_a_list_of_ids_in_parquet_is_read_by_element_as_is_proposed(shop: Shop) -> None:
    path = shop.folder / "e.parquet"
    rows = {"customer": ["u", "w"], "skus": [["a", "b"], ["b"]], "created": [datetime(2024, 5, 1)] * 2}
    pl.DataFrame(rows).write_parquet(path)
    told = "\n".join(proposal.told(path, shop.mapping(""))[1:])
    loaded = shop.load(path, shop.mapping(told))
    assert loaded.frame.select("user_id", "item_id").rows() == [("u", "a"), ("u", "b"), ("w", "b")]


def test_a_path_into_a_column_that_is_not_there_is_an_error_that_names_it(shop: Shop) -> None:
    path = shop.file("e.jsonl", event())
    with pytest.raises(DataError, match=r"expected a column 'who.id' \(user_id\), found 'user_id'"):
        shop.load(path, shop.mapping('[columns]\nuser_id = "who.id"\n'))
    with pytest.raises(DataError, match=r"expected a column 'lines' \(each\)"):
        shop.load(path, shop.mapping('each = "lines"\n'))


def test_a_column_named_like_a_path_is_that_column() -> None:
    frame = pl.DataFrame({"a.b": ["1"], "a": ['{"b": 2, "c.d": 3}'], "a.x": ['{"y": 4}']})
    read = nesting.with_fields(frame, ["a.b", "a.x.y", "a.nothing", "a"])
    assert read.select("a.b", "a.x.y", "a.nothing").rows() == [("1", "4", None)]


def test_empty_fields_of_an_order_are_those_of_its_first_row_over_batches_too() -> None:
    rule = FillDown(same="order", columns=("paid", "status"))
    frame = pl.DataFrame(
        {"order": ["1", "1", "2", "2", "1"], "paid": ["d", "", "", "e", ""], "status": ["x", None, "", "", "z"]}
    )
    whole = shaping.filled_down(frame, rule)
    assert whole["paid"].to_list() == ["d", "d", None, "e", None]
    assert whole["status"].to_list() == ["x", "x", None, None, "z"]
    first = shaping.filled_down(frame.head(1), rule)
    rest = shaping.filled_down(frame.tail(4), rule, above=first.tail(1))
    assert pl.concat([first, rest]).rows() == whole.rows()


def test_types_that_the_mapping_ignores_are_ignored_and_not_rejected(shop: Shop) -> None:
    path = shop.file(
        "e.csv",
        "user_id,item_id,timestamp,event_type,status\n"
        "u,i,2024-05-01,view,\nu,,2024-05-01,page_view,\nu,j,2024-05-01,view,void\n",
    )
    ignoring = '[[event_type.rules]]\ncolumn = "status"\nequals = "void"\ntype = "ignore"\n'
    named = shop.load(path, shop.mapping(f'[event_type]\nnames = {{page_view = "ignore"}}\n{ignoring}')).report
    others = shop.load(path, shop.mapping(f'[event_type]\nothers = "ignore"\n{ignoring}')).report
    for report in (named, others):
        assert (report.events.kept, report.events.rejected, report.events.share_rejected) == (1, (), 0)
        assert report.events.ignored == {"of a type that the mapping ignores": 2}
    assert "2 ignored" in others.render()
    assert not shop.quarantine.exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[columns]\ntimestamp = []\n", "columns.timestamp"),
        ('[fill_down]\nsame = "a"\n', "fill_down.columns"),
        ("[weights]\nignore = 1\n", "weights.ignore"),
        ('[event_type]\nothers = "drop"\n', "event_type.others"),
    ],
)
def test_what_the_keys_of_exports_cannot_be_is_refused(shop: Shop, text: str, says: str) -> None:
    with pytest.raises(DataError, match=says):
        mapping.read(shop.file("mapping.toml", text))


@pytest.mark.parametrize(
    ("name", "content", "types"),
    [
        (
            "events.csv",
            "timestamp,visitorid,event,itemid\n1714557600000,1,view,5\n1714557601000,1,addtocart,5\n",
            {"view": 1, "cart": 1},
        ),
        (
            "UserBehavior.csv",
            "1,2268318,2520377,pv,1714557600\n2,2268319,2520377,buy,1714557601\n",
            {"view": 1, "purchase": 1},
        ),
        ("ratings.dat", "".join(f"{n}::{n + 9}::{n}::97830076{n}\n" for n in range(1, 6)), {"purchase": 2}),
        (
            "excel.csv",
            "sep=;\r\nKunde;Artikel;Datum;Menge\r\n1;a;13.05.2024;2\r\n1;a;14.05.2024;-2\r\n",
            {"purchase": 1, "remove": 1},
        ),
        (
            "lines.json",
            '[{"customer": "u", "at": "2024-05-01", "lines": [{"sku": "a"}, {"sku": "b"}]}]',
            {"purchase": 2},
        ),
        ("hours.csv", "user_id,item_id,time\nu,i,2024-05-01 20\nu,j,2024-05-01 21\n", {"purchase": 2}),
    ],
    ids=["retailrocket", "taobao", "movielens", "excel", "orders-of-lines", "hours-alone"],
)
def test_what_is_proposed_for_an_export_reads_it(shop: Shop, name: str, content: str, types: dict[str, int]) -> None:
    path = shop.file(name, content)
    terms = shop.mapping("\n".join(proposed(path, ColumnMapping())))
    report = shop.load(path, terms).report
    assert (report.events_by_type, report.events.rows_rejected) == (types, 0)
    assert not [line for line in proposed(path, terms) if line and not line.startswith("[")]


def test_ids_that_stand_for_nobody_are_missing_and_told_of(shop: Shop) -> None:
    path = shop.file("e.csv", f"{HEADER}NA,i,2024-05-01\nu,i,2024-05-01\n")
    assert 'missing_ids = ["NA"]' in shop.load(path).report.render()
    assert shop.load(path, shop.mapping('missing_ids = ["NA"]\n')).report.users == 1


@pytest.mark.parametrize(("format", "expected"), [("%m%d", "a year"), ("%Y-%m-%d %I:%M", "a strptime format")])
def test_a_format_that_names_no_instant_is_refused(shop: Shop, format: str, expected: str) -> None:
    with pytest.raises(DataError, match=f"timestamp.format: expected {expected}"):
        shop.mapping(f'[timestamp]\nformat = "{format}"\n')
