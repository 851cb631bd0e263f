"""A mapping file is read as it is meant, and one that cannot be meant is refused by file and key."""

from pathlib import Path

import pytest

from recsys.errors import DataError
from trainer.shop_data import mapping
from trainer.shop_data.mapping import ColumnMapping

ONLINE_RETAIL = Path(__file__).parents[3] / "examples" / "online_retail.toml"


@pytest.fixture
def mapping_file(tmp_path: Path) -> Path:
    return tmp_path / "mapping.toml"


def refusal(file: Path, text: str) -> str:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as refused:
        mapping.read(file)
    return str(refused.value)


def test_an_empty_file_means_what_no_file_means(mapping_file: Path) -> None:
    mapping_file.write_text("")
    assert mapping.read(mapping_file) == ColumnMapping()


def test_the_example_for_online_retail_reads_invoices_as_purchases_and_cancellations_as_removals() -> None:
    read = mapping.read(ONLINE_RETAIL)
    assert read.columns.user_id == "CustomerID"
    assert read.event_type.default == "purchase"
    assert [(r.column, r.starts_with, r.type) for r in read.event_type.rules] == [("InvoiceNo", "C", "remove")]


def test_weights_of_the_shop_override_and_extend_ours(mapping_file: Path) -> None:
    mapping_file.write_text("[weights]\nview = 0.5\nwishlist = 2\n")
    assert mapping.read(mapping_file).event_weights == {"view": 0.5, "cart": 3.0, "purchase": 5.0, "wishlist": 2.0}


def test_a_misspelt_key_is_refused_with_the_keys_that_there_are(mapping_file: Path) -> None:
    message = refusal(mapping_file, '[columns]\nuserid = "uid"\n')
    assert message == (
        f"{mapping_file}: columns.userid: expected one of user_id, item_id, timestamp, event_type, quantity, value, "
        "session_id, found 'userid'; is 'user_id' meant?"
    )


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ("[column]\n", "column", "expected one of separator, encoding"),
        ("[columns]\nuser_id = 3\n", "columns.user_id", "found 3"),
        ('[event_type]\ndefault = "wishlist"\n', "event_type.default", "'wishlist' has no weight"),
        ('[event_type.names]\nlike = "liked"\n', "event_type.names.like", "'liked' has no weight"),
        ('[[event_type.rules]]\ncolumn = "a"\ntype = "view"\n', "event_type.rules.0", "starts_with or equals"),
        ('[[event_type.rules]]\ncolumn = "a"\nkind = "b"\n', "event_type.rules.0.kind", "one of column, type"),
        ("[weights]\nview = 0\n", "weights.view", "greater than or equal to 0.000001"),
        ("[weights]\nview = inf\n", "weights.view", "finite"),
        ("[weights]\nremove = 1\n", "weights.remove", "takes back"),
        ('[timestamp]\ntimezone = "London"\n', "timestamp.timezone", "IANA"),
        ('[timestamp]\nformat = "iso"\n', "timestamp.format", "found 'iso'"),
        ('[catalogue]\nattributes = ["brand", "brand"]\n', "catalogue.attributes", "every attribute once"),
        ('[catalogue]\nattributes = [""]\n', "catalogue.attributes.0", "at least 1 character"),
        ('separator = "::"\n', "separator", "found '::'"),
    ],
)
def test_what_a_mapping_cannot_say_is_refused_by_key(mapping_file: Path, text: str, key: str, expected: str) -> None:
    message = refusal(mapping_file, text)
    assert f"{mapping_file}: {key}" in message
    assert expected in message


def test_every_mistake_is_named_at_once(mapping_file: Path) -> None:
    assert len(refusal(mapping_file, '[columns]\nuser = "a"\nitem = "b"\n').splitlines()) == 2


def test_a_file_that_is_not_toml_is_refused_with_its_line(mapping_file: Path) -> None:
    assert "line 2" in refusal(mapping_file, "[columns]\nuser_id = \n")


def test_a_file_that_is_not_there_is_refused_by_name(mapping_file: Path) -> None:
    with pytest.raises(DataError, match=r"mapping\.toml: cannot be read: No such file"):
        mapping.read(mapping_file)


def test_the_mapping_in_the_documentation_is_one(mapping_file: Path) -> None:
    documented = (ONLINE_RETAIL.parents[1] / "docs" / "events.md").read_text(encoding="utf-8")
    mapping_file.write_text(documented.split("```toml\n")[1].split("```")[0], encoding="utf-8")
    read = mapping.read(mapping_file)
    assert (read.encoding, read.decimal, read.thousands, read.timestamp.farthest) == ("utf-8", ".", "", 5.0)
    assert read.event_weights["wishlist"] == 2.0


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ('encoding = "klingon"\n', "encoding", "utf-8, utf-16, cp1252 or latin-1"),
        ('encoding = "base64"\n', "encoding", "found 'base64'"),
        ('decimal = "x"\n', "decimal", "found 'x'"),
        ('decimal = ","\nthousands = ","\n', "thousands", "another character than decimal"),
        ('thousands = "1"\n', "thousands", "found '1'"),
        ("[timestamp]\nfarthest = -1\n", "timestamp.farthest", "greater than or equal to 0"),
        ("[weights]\nview = 1e-50\n", "weights.view", "greater than or equal to 0.000001"),
        ("[weights]\nview = 1e39\n", "weights.view", "less than or equal to 1000000"),
    ],
)
def test_what_numbers_texts_and_weights_cannot_be_is_refused_by_key(
    mapping_file: Path, text: str, key: str, expected: str
) -> None:
    message = refusal(mapping_file, text)
    assert f"{mapping_file}: {key}" in message
    assert expected in message
