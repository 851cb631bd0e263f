"""Whatever a file holds and whatever a mapping says of it: events and a report, or a DataError; nothing else.

`INPUT_FUZZ_EXAMPLES=20000` looks for longer.
"""

import csv
import gzip
import io
import json
import os
import tempfile
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys.errors import DataError
from trainer.shop_data import event_files, mapping

fuzzed = settings(
    max_examples=int(os.environ.get("INPUT_FUZZ_EXAMPLES", "120")),
    deadline=None,
    derandomize="INPUT_FUZZ_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

ODD_WORDS = [
    *("", " ", "NaN", "nan", "null", "inf", "-0", "1e-50", "1e39", "1e400", "12748.0", "1,5", "1.234,5", "-3", "007"),
    *("2024-05-01", "2024-05-01 10:00:00 ", "2024-05-01 10:00:00+00", "0000-01-01", "0001-01-01T00:00:00+05:00"),
    *("9999-12-31T23:59:59-10:00", "1714557600", "1714557600000", "1e18", "31/12/2024", "-1", "+262000-01-01"),
    *('"', '""', '7" tin', "\r", "\n", "\t", ";", ",", "\x00", "\ufeff", "\u2028", "\ud800", "é", "😀", "x" * 600),
    *("purchase", "remove", "view", "wish", "true", "no", "C1"),
]
word = st.sampled_from(ODD_WORDS) | st.text(max_size=6)
COLUMNS = [
    "user_id",
    "item_id",
    "timestamp",
    "event_type",
    "quantity",
    "value",
    "price",
    "title",
    "attr:brand",
    "x",
    "",
]
a_row = st.lists(word, min_size=2, max_size=12)
NESTED = [
    *("[" * 3000 + "]" * 3000, "1" * 5000, '{"a": 1}', "[1, 2]", "true", "[]", "[null]"),
    *('{"id": "u"}', '[{"id": 1.0}, 3, {"id": null}]', '[{"key": "user_id"}]'),
]


def written(text: str, encoding: str) -> bytes:
    return text.encode(encoding, "surrogatepass" if encoding.startswith("utf") else "replace")


@st.composite
def csv_bytes(draw: st.DrawFn, *, separator: str = ",", encoding: str = "utf-8") -> bytes:
    columns = COLUMNS[: draw(st.integers(3, len(COLUMNS)))] + [""] * draw(st.integers(0, 3))
    good = ["u", "i", "2024-05-01", "view", "1", "1", "1", "t", "b", "x"]
    fields = [st.sampled_from([*good[n : n + 1], ""]) | word for n in range(len(columns))]
    quoted = draw(st.booleans())
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    lines = [columns, *draw(st.lists(st.tuples(*fields) | a_row, max_size=6))]
    text = io.StringIO(newline="")
    if quoted:
        csv.writer(text, delimiter=separator, lineterminator=end).writerows(lines)
    else:
        text.write(end.join(separator.join(line) for line in lines))
    return written(text.getvalue(), encoding)


@st.composite
def json_bytes(draw: st.DrawFn) -> bytes:
    value = word | st.none() | st.floats() | st.integers() | st.booleans()
    fields = st.dictionaries(st.sampled_from(COLUMNS), value, max_size=6)
    row = st.builds(lambda more: {"user_id": "u", "item_id": "i", "timestamp": "2024-05-01", **more}, fields)
    lines = [json.dumps(one, ensure_ascii=draw(st.booleans())) for one in draw(st.lists(row | fields, max_size=6))]
    odd = draw(st.sampled_from(["", *NESTED]))
    if odd:
        lines.insert(
            draw(st.integers(0, len(lines))),
            f'{{"{draw(st.sampled_from(["user_id", "x"]))}": {odd}, "item_id": "i", "timestamp": 1714557600}}',
        )
    if draw(st.booleans()):
        lines = [f"[{','.join(lines)}]"]
    return written("\n".join(lines), "utf-8")


@st.composite
def mutated(draw: st.DrawFn, of: st.SearchStrategy[bytes]) -> bytes:
    """Bytes taken out, put in and cut off."""
    content = bytearray(draw(of))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(content)))
        content[at : at + draw(st.integers(0, 4))] = draw(st.binary(max_size=4))
    return bytes(content[: draw(st.integers(0, len(content)))] if draw(st.booleans()) else content)


def mapping_of(keys: dict[str, object], *tables: str) -> str:
    return "\n".join([*(f"{key} = {json.dumps(value)}" for key, value in keys.items()), *tables])


formats = st.sampled_from(["auto", "auto", "unix_seconds", "%d/%m/%Y", "%Q%", "%s", "%+", "%Y-%m-%d %H:%M:%S %Z"])
zones = st.sampled_from(["UTC", "Europe/London", "Pacific/Apia"])
tables = st.lists(
    st.builds('[timestamp]\nformat = "{}"\ntimezone = "{}"'.format, formats, zones)
    | st.just("[weights]\nwish = 1e-6")
    | st.just('[event_type]\ndefault = "view"\n[[event_type.rules]]\ncolumn = "x"\nequals = ""\ntype = "remove"')
    | st.just('[item_columns]\ntitle = "x"\nattributes = ["title"]')
    | st.just('[columns]\nsession_id = "x"\ntimestamp = ["timestamp", "x"]')
    | st.just('[columns]\nuser_id = "x.id"\nitem_id = "x[0].id"\nvalue = "title[user_id]"')
    | st.just('[event_type]\nothers = "ignore"')
    | st.just('[fill_down]\nsame = "user_id"\ncolumns = ["x", "timestamp"]'),
    max_size=2,
)
top_keys = st.sampled_from([{}, {}, {"whole_ids": True}, {"each": "x"}, {"each": "user_id", "whole_ids": True}])
marks = st.sampled_from([{}, {"decimal": ","}, {"decimal": ",", "thousands": "."}, {"thousands": "\u00a0"}])
separators = st.sampled_from([",", ",", ";", "\t", "|", "a"])
encodings = st.sampled_from(["utf-8", "utf-8", "utf-16", "cp1252", "latin-1", "utf-7", "gb18030", "base64"])
mappings = st.builds(
    lambda separator, encoding, numbers, more: mapping_of(
        {"separator": separator, "encoding": encoding, **numbers}, *more
    ),
    separators,
    encodings,
    marks,
    tables,
)
plain_mappings = st.builds(lambda keys, more: mapping_of(keys, *more), top_keys, tables)


def read(name: str, content: bytes, mapping_text: str, catalogue: bytes | None = None) -> None:
    """The promise: events and a report, or a DataError."""
    with tempfile.TemporaryDirectory() as folder:
        path, items = Path(folder, name), Path(folder, "items.csv")
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") and content[:1] != b"\x00" else content)
        Path(folder, "mapping.toml").write_text(mapping_text, encoding="utf-8")
        if catalogue is not None:
            items.write_bytes(catalogue)
        try:
            loaded = event_files.load(
                path,
                mapping=mapping.read(Path(folder, "mapping.toml")),
                quarantine_path=Path(folder, "quarantine.csv"),
                catalogue_path=None if catalogue is None else items,
                now=datetime(2024, 6, 1, tzinfo=UTC),
            )
        except DataError:
            return
        counts = loaded.report.events
        assert (
            counts.kept
            == loaded.frame.height
            == counts.read - sum(one.rows for one in counts.rejected) - sum(counts.ignored.values())
        )
        assert loaded.frame["timestamp"].null_count() == loaded.frame["user_id"].null_count() == 0
        assert loaded.report.render()


@fuzzed
@given(
    name=st.sampled_from(["e.csv", "e.tsv", "e.csv.gz", "e.jsonl", "e.json.gz", "e.parquet"]),
    content=st.binary(max_size=300),
    mapping_text=mappings,
)
def test_any_bytes(name: str, content: bytes, mapping_text: str) -> None:
    read(name, content, mapping_text)


@fuzzed
@given(
    data=st.data(),
    separator=separators,
    encoding=st.sampled_from(["utf-8", "utf-8", "utf-16", "cp1252"]),
    numbers=marks,
    more=tables,
)
def test_any_csv(data: st.DataObject, separator: str, encoding: str, numbers: dict[str, str], more: list[str]) -> None:
    file = csv_bytes(separator=separator, encoding=encoding)
    content, catalogue = data.draw(file | mutated(file)), data.draw(st.none() | file)
    read("e.csv", content, mapping_of({"separator": separator, "encoding": encoding, **numbers}, *more), catalogue)


@fuzzed
@given(content=json_bytes() | mutated(json_bytes()), mapping_text=plain_mappings | mappings)
def test_any_json_lines(content: bytes, mapping_text: str) -> None:
    read("e.jsonl", content, mapping_text)


@st.composite
def parquet_columns(draw: st.DrawFn) -> pl.Series:
    height = 3
    numbers = st.integers(-(2**63), 2**63 - 1)
    kind, values = draw(
        st.sampled_from(
            [
                (pl.String(), st.text(st.characters(exclude_categories=["Cs"]), max_size=6)),
                (pl.Float64(), st.floats()),
                (pl.Int64(), numbers),
                (pl.Boolean(), st.booleans()),
                (pl.Binary(), st.binary(max_size=4)),
                (pl.Date(), st.dates(date(1, 1, 1), date(9999, 12, 31))),
                (pl.Time(), st.times().map(lambda moment: time(moment.hour))),
                (pl.Duration("us"), st.just(timedelta(1))),
                (pl.Decimal(38, 2), st.just(Decimal("1.5"))),
                (pl.Categorical(), st.sampled_from(["view", "wish"])),
                (pl.List(pl.String()), st.just(["a"])),
                (pl.Null(), st.none()),
            ]
        )
    )
    column = pl.Series(draw(st.lists(values | st.none(), min_size=height, max_size=height)), dtype=kind)
    if kind == pl.Int64() and draw(st.booleans()):  # times of any year, far beyond any calendar
        unit, zone = draw(st.sampled_from(["ms", "us", "ns"])), draw(st.sampled_from([None, "UTC", "Asia/Tokyo"]))
        return column.cast(pl.Datetime(unit, zone))  # type: ignore[arg-type]
    return column


@fuzzed
@given(
    columns=st.dictionaries(st.sampled_from(COLUMNS[:-1]), parquet_columns(), max_size=6),
    height=st.sampled_from([3, 3, 0]),
    mapping_text=plain_mappings,
    cut=st.sampled_from([None, None, None, -20, 30]),
)
def test_any_parquet(columns: dict[str, pl.Series], height: int, mapping_text: str, cut: int | None) -> None:
    usual = {"user_id": ["u"] * 3, "item_id": ["i"] * 3, "timestamp": ["2024-05-01"] * 3, "x": ["", "x", None]}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "written.parquet")
        pl.DataFrame({**usual, **columns}).head(height).write_parquet(path)
        content = path.read_bytes()
    read("e.parquet", content[:cut], mapping_text)
