"""Small files with known answers: what is kept, what is rejected, for which reason and with which row number."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from shop_folder import NOW, Shop

from recsys.errors import DataError
from trainer.shop_data import event_files, mapping
from trainer.shop_data.mapping import ColumnMapping
from trainer.shop_data.quarantine import ROW

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_events_in_our_own_columns_need_no_mapping_and_come_out_sorted_by_time(shop: Shop) -> None:
    path = shop.file(
        "events.csv",
        "user_id,item_id,event_type,timestamp,quantity,value\n"
        "u2,i2,purchase,2024-05-02T10:00:00Z,2,19.9\n"
        "u1,i1,view,2024-05-01T10:00:00Z,,\n",
    )
    loaded = shop.load(path)
    assert loaded.frame.schema == event_files.SCHEMA
    assert loaded.frame.rows() == [
        ("u1", "i1", "view", datetime(2024, 5, 1, 10, tzinfo=UTC), None, None),
        ("u2", "i2", "purchase", datetime(2024, 5, 2, 10, tzinfo=UTC), 2.0, 19.9),
    ]
    assert (loaded.report.events.read, loaded.report.events.kept, loaded.report.events.rejected) == (2, 2, ())
    assert loaded.report.quarantine_path is None
    assert not shop.quarantine.exists()


def test_each_bad_row_is_rejected_for_its_reason_with_its_line_and_its_columns(shop: Shop) -> None:
    path = shop.file(
        "events.csv",
        "user_id,item_id,event_type,timestamp,quantity,value,note\n"
        "u1,i1,purchase,2024-05-01,1,1.5,good\n"
        ",i1,purchase,2024-05-01,1,,\n"
        "u1,,purchase,2024-05-01,1,,\n"
        "u1,i1,purchase,yesterday,1,,\n"
        "u1,i1,purchase,2024-06-03,1,,\n"
        "u1,i1,wishlist,2024-05-01,1,,\n"
        "u1,i1,purchase,2024-05-01,many,,\n"
        "u1,i1,purchase,2024-05-01,-1,,\n"
        "u1,i1,purchase,2024-05-01,1,dear,\n"
        "u1,i1\n"
        "u1,i1,purchase,2024-05-01,1,nan,\n",
    )
    loaded = shop.load(path)
    assert loaded.frame.height == 1
    assert sorted(shop.rejected()) == [
        (3, "missing user_id"),
        (4, "missing item_id"),
        (5, "unreadable timestamp"),
        (6, "timestamp in the future"),
        (7, "unknown event type"),
        (8, "unreadable quantity"),
        (9, "quantity not above 0"),
        (10, "unreadable value"),
        (11, "wrong number of fields"),
        (12, "unreadable value"),
    ]
    unreadable = pl.read_csv(shop.quarantine).filter(pl.col(ROW) == 5)
    assert unreadable.select("user_id", "timestamp").row(0) == ("u1", "yesterday")
    by_reason = {rejection.reason: rejection.rows for rejection in loaded.report.events.rejected}
    assert by_reason["unreadable value"] == 2
    assert loaded.report.events.read == 12 - 1
    assert loaded.report.events.kept + sum(by_reason.values()) == loaded.report.events.read


def test_cancelled_invoices_are_removals_with_a_positive_quantity_and_lines_without_customer_are_set_aside(
    shop: Shop,
) -> None:
    path = shop.file(
        "online_retail.csv.gz",
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
        "536365,85123A,WHITE HANGING HEART,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n"
        "C536379,85123A,WHITE HANGING HEART,-2,2010-12-01 09:41:00,2.55,17850.0,United Kingdom\n"
        "536414,22139,,56,2010-12-01 11:52:00,0.0,,United Kingdom\n"
        '536415,085123,"HEART 7"" TIN, RED",-1,2010-07-01 11:52:00,2.55,00042,United Kingdom\n',
    )
    loaded = shop.load(path, mapping.read(EXAMPLES / "online_retail.toml"))
    assert loaded.frame.drop("value").rows() == [
        ("17850", "85123A", "purchase", datetime(2010, 12, 1, 8, 26, tzinfo=UTC), 6.0),
        ("17850", "85123A", "remove", datetime(2010, 12, 1, 9, 41, tzinfo=UTC), 2.0),
    ]
    assert shop.rejected() == [(4, "missing user_id"), (5, "quantity not above 0")]
    assert loaded.catalogue.rows() == [("85123A", "WHITE HANGING HEART", None, 2.55, None, True)]


def test_the_shops_own_words_for_types_are_translated_and_weighed(shop: Shop) -> None:
    path = shop.file(
        "events.jsonl",
        '{"user_id": "u", "item_id": "i", "timestamp": 1714557600, "event_type": "addtocart"}\n'
        '{"user_id": "u", "item_id": "i", "timestamp": 1714557600001, "event_type": "wish"}\n'
        '{"user_id": "u", "item_id": "i", "timestamp": "2024-05-02", "event_type": null}\n',
    )
    loaded = shop.load(
        path,
        shop.mapping('[event_type]\ndefault = "view"\n[event_type.names]\naddtocart = "cart"\n[weights]\nwish = 2\n'),
    )
    assert loaded.frame["event_type"].cast(pl.String).to_list() == ["cart", "wish", "view"]
    assert loaded.report.events_by_type == {"cart": 1, "wish": 1, "view": 1}


def test_broken_json_lines_are_set_aside_with_their_line_and_text(shop: Shop) -> None:
    good = b'{"user_id": "u%d", "item_id": "i", "timestamp": "2024-05-01", "event_type": "view"}\n'
    path = shop.file(
        "events.jsonl",
        good % 1 + b'{"user_id": "u2", \n\n[1, 2]\n' + good % 5 + b'{"user_id": "\xff"}\n{} {}\n' + good % 8,
    )
    loaded = shop.load(path)
    assert loaded.frame["user_id"].to_list() == ["u1", "u5", "u8"]
    assert shop.rejected() == [
        (2, "not a JSON object"),
        (4, "not a JSON object"),
        (6, "invalid UTF-8"),
        (7, "not a JSON object"),
    ]
    assert loaded.report.events.read == 7


def test_csv_rows_that_are_not_utf8_or_badly_quoted_are_set_aside_and_the_rest_is_kept(shop: Shop) -> None:
    path = shop.file(
        "events.csv",
        b"user_id,item_id,timestamp\n"
        b'"u\n1",i1,2024-05-01\r\n'
        b"u2,caf\xe9,2024-05-01\n"
        b"\n"
        b'"u"3,i3,2024-05-01\n'
        b"u4,i4,2024-05-01,more\n"
        b"u5,i5,2024-05-01",
    )
    loaded = shop.load(path)
    assert loaded.frame["user_id"].to_list() == ["u\n1", "u5"]
    assert shop.rejected() == [
        (4, "invalid UTF-8"),
        (6, "unreadable quoting"),
        (7, "wrong number of fields"),
    ]


def test_a_quote_that_is_never_closed_is_an_error_with_its_row(shop: Shop) -> None:
    path = shop.file("events.csv", 'user_id,item_id,timestamp\nu1,i1,2024-05-01\nu2,"i2,2024-05-01\nu3,i3,2024-05-01\n')
    with pytest.raises(DataError, match=r"events\.csv row 3: .*never closed"):
        shop.load(path)


def test_a_missing_column_is_an_error_that_names_file_and_columns(shop: Shop) -> None:
    path = shop.file("events.csv", "user,item_id,timestamp\nu,i,2024-05-01\n")
    with pytest.raises(DataError, match=r"events\.csv: expected a column 'user_id' .*found 'user', 'item_id'"):
        shop.load(path)


def test_an_optional_column_that_the_mapping_names_must_be_there(shop: Shop) -> None:
    path = shop.file("events.csv", "user_id,item_id,timestamp\nu,i,2024-05-01\n")
    with pytest.raises(DataError, match=r"expected a column 'qty' \(quantity\)"):
        shop.load(path, shop.mapping('[columns]\nquantity = "qty"\n'))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("events.parquet", b"not parquet"),
        ("events.xlsx", b"spreadsheet"),
        ("events.csv", b"user_id,user_id,item_id,timestamp\n"),
    ],
)
def test_a_file_that_cannot_be_read_is_an_error_that_names_it(shop: Shop, name: str, content: bytes) -> None:
    with pytest.raises(DataError, match=name):
        shop.load(shop.file(name, content))


def test_a_truncated_gzip_file_is_an_error_that_names_it(shop: Shop) -> None:
    path = shop.file("events.csv.gz", "user_id,item_id,timestamp\n" + "u,i,2024-05-01\n" * 1000)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"events\.csv\.gz"):
        shop.load(path)


def test_no_file_is_an_error(shop: Shop) -> None:
    with pytest.raises(DataError, match="found none"):
        shop.load(shop.folder / "*.csv")


def test_a_directory_and_a_pattern_mean_all_their_files(shop: Shop) -> None:
    shop.file("a.csv", "user_id,item_id,timestamp\nu1,i1,2024-05-02\n")
    shop.file("b.jsonl.gz", '{"user_id": "u2", "item_id": "i2", "timestamp": "2024-05-01"}\n')
    shop.file("notes.md", "not events")
    assert shop.load(shop.folder).frame["user_id"].to_list() == ["u2", "u1"]
    assert shop.load(shop.folder / "*.csv").frame["user_id"].to_list() == ["u1"]


def test_parquet_keeps_its_own_types_and_numbers_rows_from_one(shop: Shop) -> None:
    path = shop.folder / "events.parquet"
    pl.DataFrame(
        {
            "user_id": [7, None, 8],
            "item_id": ["007", "1", "2"],
            "timestamp": [datetime(2024, 5, 1, 12), datetime(2024, 5, 1), datetime(2024, 5, 2)],
            "tags": [["a"], [], ["b", "c"]],
        }
    ).write_parquet(path)
    loaded = shop.load(path, shop.mapping('[timestamp]\ntimezone = "Europe/Berlin"\n'))
    assert loaded.frame.select("user_id", "item_id", "timestamp").rows() == [
        ("7", "007", datetime(2024, 5, 1, 10, tzinfo=UTC)),
        ("8", "2", datetime(2024, 5, 1, 22, tzinfo=UTC)),
    ]
    assert shop.rejected() == [(2, "missing user_id")]


def test_exact_duplicates_are_kept_and_counted(shop: Shop) -> None:
    path = shop.file("events.csv", "user_id,item_id,timestamp\n" + "u,i,2024-05-01\n" * 3 + "u,i,2024-05-02\n")
    loaded = shop.load(path)
    assert (loaded.frame.height, loaded.report.exact_duplicates) == (4, 2)


def test_titles_in_the_events_are_the_most_frequent_and_prices_the_latest(shop: Shop) -> None:
    path = shop.file(
        "events.csv",
        "user_id,item_id,timestamp,title,price\n"
        "u,a,2024-05-03,LAMP,3\n"
        "u,a,2024-05-01,Lamp,1\n"
        "u,a,2024-05-02,Lamp,2\n"
        "u,a,2024-05-04,,\n"
        "u,b,2024-05-04,,\n",
    )
    assert shop.load(path).catalogue.select("item_id", "title", "price").rows() == [
        ("a", "Lamp", 3.0),
        ("b", None, None),
    ]


def test_what_events_told_first_knows_nothing_that_came_later(shop: Shop) -> None:
    path = shop.file(
        "events.csv",
        "user_id,item_id,timestamp,title,price\n"
        "u,a,2024-05-03,LAMP,9\nu,a,2024-05-01,Lamp?,\nu,a,2024-05-02,Lamp,1\nu,a,2024-05-04,LAMP,8\nu,b,2024-05-02,,\n",
    )
    loaded = shop.load(path)
    assert loaded.catalogue.select("title", "price").rows() == [("LAMP", 8.0), (None, None)]
    assert loaded.first_told.select("item_id", "title", "price").rows() == [("a", "Lamp?", 1.0), ("b", None, None)]
    catalogue = shop.file("items.csv", "item_id,title\na,Floor lamp\nc,Cup\n")
    assert shop.load(path, catalogue=catalogue).first_told.select("title", "price").rows() == [
        ("Floor lamp", 1.0),
        (None, None),
        ("Cup", None),
    ]


def test_the_catalogue_file_overrules_the_events_and_adds_items_without_events(shop: Shop) -> None:
    path = shop.file(
        "events.csv", "user_id,item_id,timestamp,title,price\nu,a,2024-05-01,Lamp,1\nu,b,2024-05-01,Cup,2\n"
    )
    items = shop.file(
        "items.csv",
        "item_id,title,price,available\n"
        "a,Desk lamp,,no\n"
        "c,Old pen,1,true\n"
        "c,Pen,2,\n"
        "d,Ink,cheap,true\n"
        "e,Nib,1,perhaps\n"
        ",Nothing,1,true\n",
    )
    loaded = shop.load(path, catalogue=items)
    assert loaded.catalogue.drop("category", "image_url").rows() == [
        ("a", "Desk lamp", 1.0, False),
        ("b", "Cup", 2.0, True),
        ("c", "Pen", 2.0, True),
    ]
    assert sorted(shop.rejected()) == [
        (3, "repeated item_id, a later row counts"),
        (5, "unreadable price"),
        (6, "unreadable available"),
        (7, "missing item_id"),
    ]
    assert loaded.report.catalogue is not None
    assert (loaded.report.catalogue.read, loaded.report.catalogue.kept) == (6, 2)


def test_attributes_are_columns_that_the_mapping_names_of_either_file_and_the_catalogue_overrules(shop: Shop) -> None:
    path = shop.file(
        "events.csv",
        "user_id,item_id,timestamp,colour,season\n"
        "u,a,2024-05-01,red,\n"
        "v,a,2024-05-01,red,\n"
        "w,a,2024-05-01,blue,\n"
        "u,b,2024-05-01,,winter\n",
    )
    items = shop.file("items.csv", "item_id,brand,colour\na,Lumo,\nb,,green\nc,007,red\n")
    shop_mapping = shop.mapping(
        '[item_columns]\nattributes = ["colour", "season"]\n[catalogue]\nattributes = ["brand", "colour"]\n'
    )
    loaded = shop.load(path, shop_mapping, catalogue=items).catalogue
    assert loaded.select("item_id", "attr:brand", "attr:colour", "attr:season").rows() == [
        ("a", "Lumo", "red", None),
        ("b", None, "green", "winter"),
        ("c", "007", "red", None),
    ]


def test_a_column_that_is_called_an_attribute_is_one_without_a_mapping(shop: Shop) -> None:
    path = shop.file("events.csv", "user_id,item_id,timestamp\nu,a,2024-05-01\n")
    first = shop.file("1.csv", "item_id,attr:brand\na,Lumo\n")
    shop.file("2.csv", "item_id,attr:size\nb,XL\n")
    loaded = shop.load(path, catalogue=first.with_name("[12].csv")).catalogue
    assert loaded.select("item_id", "attr:brand", "attr:size").rows() == [("a", "Lumo", None), ("b", None, "XL")]


def test_an_attribute_that_a_file_lacks_is_an_error_that_names_it(shop: Shop) -> None:
    path = shop.file("events.csv", "user_id,item_id,timestamp\nu,a,2024-05-01\n")
    items = shop.file("items.csv", "item_id,title\na,Lamp\n")
    with pytest.raises(
        DataError, match=r"items\.csv: expected a column 'brand' \(an attribute\), found 'item_id', 'title'"
    ):
        shop.load(path, shop.mapping('[catalogue]\nattributes = ["brand"]\n'), catalogue=items)


def test_the_report_shows_each_reason_with_at_most_three_examples(shop: Shop) -> None:
    path = shop.file("events.csv", "user_id,item_id,timestamp\nu,i,2024-05-01\n" + ",i9,2024-05-01\n" * 5)
    lines = shop.load(path).report.render().splitlines()
    assert lines[0] == "events: 6 rows read, 1 kept, 5 rejected"
    assert lines[1].split() == ["5", "missing", "user_id"]
    assert [line.strip() for line in lines[2:5]] == [
        f"{path} row {row}: item_id=i9 timestamp=2024-05-01" for row in (3, 4, 5)
    ]
    assert lines[-1] == f"rejected rows: {shop.quarantine}"


def test_a_mended_quarantine_file_can_be_read_as_events(shop: Shop) -> None:
    shop.load(shop.file("events.csv", "user_id,item_id,timestamp\n,i,2024-05-01\nu,i,2024-05-01\n"))
    mended = shop.file("mended.csv", shop.quarantine.read_text().replace("missing user_id,,", "missing user_id,u2,"))
    assert shop.load(mended).frame["user_id"].to_list() == ["u2"]


def test_the_quarantine_file_never_overwrites_what_is_read(shop: Shop) -> None:
    path = shop.file("events.csv", "user_id,item_id,timestamp\nu,i,2024-05-01\n")
    before = path.read_bytes()
    with pytest.raises(DataError, match="expected another quarantine file"):
        event_files.load(shop.folder, mapping=ColumnMapping(), quarantine_path=path, now=NOW)
    assert path.read_bytes() == before


def test_a_quarantine_file_of_an_earlier_run_does_not_stay(shop: Shop) -> None:
    shop.load(shop.file("bad.csv", "user_id,item_id,timestamp\n,i,2024-05-01\n"))
    shop.load(shop.file("good.csv", "user_id,item_id,timestamp\nu,i,2024-05-01\n"))
    assert not shop.quarantine.exists()


def test_a_file_of_only_bad_rows_gives_no_events_and_a_report(shop: Shop) -> None:
    loaded = shop.load(shop.file("events.csv", "user_id,item_id,timestamp\n,i,2024-05-01\n"))
    assert (loaded.frame.height, loaded.catalogue.height, loaded.report.events.read) == (0, 0, 1)
    assert loaded.report.first is None
