"""The adapter against Feast's local provider."""

from pathlib import Path

import pytest

from feast_sync.features import FeastFeatures, read_config
from recsys.errors import DataError


def test_features_come_under_our_names_and_what_feast_lacks_is_absent(config_path: Path) -> None:
    features = FeastFeatures(read_config(config_path))
    assert features.of_items(["item-01", "stranger", "item-02"]) == {
        "item-01": {"price": 2.5, "available": False, "attributes.margin": "low"},
        "item-02": {"available": True},
    }
    assert features.of_users(["user-00", "stranger"]) == {"user-00": {"segment": "gold"}}


def test_many_ids_are_read_in_parts_and_none_is_lost(config_path: Path) -> None:
    features = FeastFeatures(read_config(config_path))
    ids = [f"stranger-{n}" for n in range(2_500)]
    assert set(features.of_items([*ids, "item-00"])) == {"item-00"}


def test_a_kind_that_is_not_configured_has_no_features(config_path: Path) -> None:
    config = read_config(config_path).model_copy(update={"users": None})
    assert FeastFeatures(config).of_users(["user-00"]) == {}


def test_a_wrong_reference_is_an_error_that_names_file_key_and_what_was_found(config_path: Path) -> None:
    config_path.write_text(config_path.read_text().replace("item_stats:price", "price"))
    with pytest.raises(DataError, match=r"feast\.toml: items\.features\.price: .* found 'price'"):
        read_config(config_path)


def test_a_view_that_feast_does_not_have_is_an_error_and_no_empty_answer(config_path: Path) -> None:
    config_path.write_text(config_path.read_text().replace("item_stats:price", "nowhere:price"))
    with pytest.raises(DataError, match="cannot read item_id features"):
        FeastFeatures(read_config(config_path)).of_items(["item-00"])


def test_a_folder_without_a_repository_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "feast.toml").write_text('repo = "nowhere"\n')
    with pytest.raises(DataError, match="nowhere: expected a Feast repository"):
        FeastFeatures(read_config(tmp_path / "feast.toml"))
