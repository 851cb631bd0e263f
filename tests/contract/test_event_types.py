"""What the gateway takes is what the trainer learns from: both read the types from one mapping file."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.settings import Settings
from recsys.errors import DataError
from recsys.shop import events as event_types
from trainer.shop_data import mapping
from trainer.shop_data.mapping import ColumnMapping

EXAMPLE = Path(__file__).parents[2] / "examples" / "online_retail.toml"


@pytest.fixture
def mapping_file(tmp_path: Path) -> Path:
    return tmp_path / "mapping.toml"


def test_without_a_mapping_both_know_ours() -> None:
    taken = Settings().event_weights
    assert taken == {"view": 1.0, "cart": 3.0, "purchase": 5.0, "remove": 0.0}
    assert list(taken) == ColumnMapping().event_types


def test_the_shops_own_types_and_weights_are_the_same_for_both(mapping_file: Path) -> None:
    mapping_file.write_text('separator = ";"\n[weights]\nview = 0.5\nwishlist = 2\n')
    taken, learnt = Settings(mapping_file=mapping_file).event_weights, mapping.read(mapping_file)
    assert taken == {"view": 0.5, "cart": 3.0, "purchase": 5.0, "wishlist": 2.0, "remove": 0.0}
    assert {name: weight for name, weight in taken.items() if name != event_types.REMOVE} == learnt.event_weights
    assert taken.keys() == set(learnt.event_types)


def test_the_example_says_nothing_of_types_that_only_one_of_them_would_know() -> None:
    assert list(Settings(mapping_file=EXAMPLE).event_weights) == mapping.read(EXAMPLE).event_types


@pytest.mark.parametrize(
    "text",
    [
        "[weights]\nview = 1e-50\n",
        "[weights]\nview = 1e39\n",
        "[weights]\nview = nan\n",
        "[weights]\nremove = 1\n",
        "weights = 3\n",
        "[weights\n",
        f"[weights]\nview = {'1' * 5000}\n",
        f"[weights]\n{'x' * 65} = 1\n",
        f"x = {'[' * 5000}",
    ],
)
def test_what_one_refuses_the_other_refuses_too_and_names_the_file(mapping_file: Path, text: str) -> None:
    mapping_file.write_text(text)
    with pytest.raises(ValidationError, match=r"mapping\.toml: "):
        Settings(mapping_file=mapping_file)
    with pytest.raises(DataError, match=r"mapping\.toml: "):
        mapping.read(mapping_file)


def test_a_mapping_that_is_not_there_is_refused_by_name(mapping_file: Path) -> None:
    with pytest.raises(ValidationError, match=r"mapping\.toml: cannot be read: No such file"):
        Settings(mapping_file=mapping_file)
