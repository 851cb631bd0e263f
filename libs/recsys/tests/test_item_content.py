"""Vectors of items by their facts: the same facts give the same vector, and what nothing is known of has none."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_artifact import Shop, checkerboard, publish, with_item_content

from recsys.artifact import layout
from recsys.artifact.item_content import ItemContent
from recsys.artifact.manifest import ItemContentInfo
from recsys.artifact.reader import open_artifact
from recsys.errors import ArtifactError
from recsys.item_features import COLUMNS, KINDS, features
from recsys.item_vector import packed
from recsys.shop.item import Item

SIDES = {"even": (1.0, 0.0), "odd": (0.0, 1.0)}
TEAPOT = Item("a", title="Red Teapot", category="kitchen", price=9.0, attributes={"brand": "Elm"})


@pytest.fixture
def shop() -> Shop:
    return with_item_content(checkerboard(), SIDES)


def test_facts_have_columns_each_kind_of_the_same_weight() -> None:
    columns, values, _ = features(TEAPOT, price_edges=[5.0, 10.0])
    assert len(columns) == len(values) == 1 + 3 + 1 + 1 + 1  # any, two words and their pair, category, price, brand
    assert all(0 <= column < COLUMNS for column in columns)
    assert np.square(values).sum() == pytest.approx(5)


def test_words_count_whatever_their_case_and_prices_by_their_bucket() -> None:
    def of(**facts: object) -> set[int]:
        return set(features(Item("x", **facts), price_edges=[5.0, 10.0]).columns)  # type: ignore[arg-type]

    assert of(title="RED teapot!") == of(title="red Teapot")
    assert of(price=5.0) == of(price=9.99) != of(price=10.0)
    assert of(price=float("nan")) == of(price=-1.0) == of(price=None) == set()


def test_an_item_without_facts_has_no_vector(shop: Shop) -> None:
    assert shop.item_content is not None
    assert not shop.item_content.vector(Item("a")).any()
    assert not shop.item_content.vector(Item("a", image_url="https://shop/a.png")).any()


def test_a_vector_does_not_depend_on_the_items_beside_it() -> None:
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((COLUMNS, 7), dtype=np.float32)
    content = ItemContent(ItemContentInfo(features=list(KINDS), columns=COLUMNS, price_edges=[5.0]), weights)
    items = [TEAPOT, Item("b", title="Lamp"), Item("c", price=3.0)]
    np.testing.assert_array_equal(content.vectors(items), np.stack([content.vector(item) for item in items]))
    columns, values, _ = features(TEAPOT, price_edges=[5.0])
    np.testing.assert_allclose(content.vector(TEAPOT), np.array(values) @ weights[columns], rtol=1e-5)
    assert content.vectors([]).shape == (0, 7)


def test_the_vector_that_a_shop_brings_counts_beside_the_other_facts() -> None:
    weights = np.random.default_rng(0).standard_normal((COLUMNS + 3, 7), dtype=np.float32)
    info = ItemContentInfo(features=list(KINDS), columns=COLUMNS, price_edges=[], vector_length=3)
    content = ItemContent(info, weights)
    brought = replace(TEAPOT, vector=packed([3.0, 0.0, 4.0]))
    of_vector = np.array([0.6, 0.0, 0.8]) @ weights[COLUMNS:]
    np.testing.assert_allclose(content.vector(brought) - content.vector(TEAPOT), of_vector, atol=1e-2)
    columns, values, vector = features(Item("bare", vector=brought.vector), price_edges=[], vector_length=3)
    assert (len(columns), values, len(vector)) == (1, [1.0], 3)  # it is something to be known of an item


@pytest.mark.parametrize("vector_length", [0, 2, 4])
def test_a_vector_of_another_length_is_as_none(vector_length: int) -> None:
    brought = Item("a", vector=packed([3.0, 0.0, 4.0]))
    assert features(brought, price_edges=[], vector_length=vector_length) == ([], [], ())


def test_a_version_has_vectors_of_items_where_its_file_has_the_column(tmp_path: Path, shop: Shop) -> None:
    vectors = [packed([1.0, float(row)]) if row < 3 else None for row in range(len(shop.item_ids))]
    catalogue = open_artifact(publish(replace(shop, vectors=vectors), tmp_path / "with")).catalogue
    assert [catalogue.item(row).vector for row in (1, 3)] == [vectors[1], None]
    assert (
        catalogue.item(1).attributes == open_artifact(publish(shop, tmp_path / "without")).catalogue.item(1).attributes
    )


def test_a_version_has_the_map_or_no_word_of_it(tmp_path: Path, shop: Shop) -> None:
    read = open_artifact(publish(shop, tmp_path / "with")).item_content
    assert read is not None
    assert shop.item_content is not None
    np.testing.assert_array_equal(read.vector(Item("x", category="odd")), np.array([0, 1], np.float32))
    np.testing.assert_array_equal(read.weights, shop.item_content.weights)

    path = publish(checkerboard(), tmp_path / "without")
    assert open_artifact(path).item_content is None
    assert not (path / layout.ITEM_CONTENT).exists()
    assert "item_content" not in json.loads((path / layout.MANIFEST).read_text())  # services of before would refuse it


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"features": ["colours"]}, r"item_content\.features: expected .* found \['colours'\]"),
        ({"price_edges": [2.0, 1.0]}, r"item_content\.price_edges: expected to rise, found \[2.0, 1.0\]"),
        ({"columns": 7}, r"item_content\.npy: expected float32 \[7, 2\]"),
    ],
)
def test_a_map_of_other_features_is_refused(
    tmp_path: Path, shop: Shop, changed: dict[str, object], message: str
) -> None:
    path = publish(shop, tmp_path) / layout.MANIFEST
    manifest = json.loads(path.read_text())
    manifest["item_content"] |= changed
    path.write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match=message):
        open_artifact(path.parent)


def test_a_map_that_is_no_numbers_is_refused(tmp_path: Path, shop: Shop) -> None:
    assert shop.item_content is not None
    shop.item_content.weights[3, 1] = np.nan
    with pytest.raises(
        ArtifactError, match=r"item_content\.npy: expected finite values, found NaN or infinity in row 3"
    ):
        open_artifact(publish(shop, tmp_path))
