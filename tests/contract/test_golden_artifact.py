"""Every artifact format that was ever published must load for ever."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_artifact

from candidate_gen.retriever import Asker, Conditions, Retriever
from candidate_gen.sources import SourceCounts
from recsys.artifact.manifest import FORMAT_VERSION, BlendInfo
from recsys.artifact.reader import open_artifact
from recsys.feature_store.follower import LiveState

GOLDEN = Path(__file__).parents[1] / "golden"


def test_there_is_a_golden_artifact_of_every_format() -> None:
    formats = {path.name for path in GOLDEN.iterdir() if path.is_dir()}
    assert formats == {f"artifact_v{number}" for number in range(1, FORMAT_VERSION + 1)}


def test_format_1_loads_with_all_that_it_holds() -> None:
    artifact = open_artifact(GOLDEN / "artifact_v1")
    expected = tiny_artifact.checkerboard()
    assert [artifact.users.id_of(row) for row in range(len(artifact.users))] == expected.user_ids
    assert [artifact.items.id_of(row) for row in range(len(artifact.items))] == expected.item_ids
    np.testing.assert_array_equal(artifact.user_embeddings, expected.user_embeddings)
    np.testing.assert_array_equal(artifact.item_embeddings, expected.item_embeddings)
    np.testing.assert_array_equal(artifact.popularity, expected.popularity)
    assert [artifact.history.rows(row).tolist() for row in range(6)] == expected.histories
    assert artifact.catalogue.item(3).title == "Item number 3"


def test_format_1_counts_every_pair_as_one_event_and_folds_nobody_in() -> None:
    artifact = open_artifact(GOLDEN / "artifact_v1")
    assert artifact.fold_in is None
    assert set(artifact.history.weights.tolist()) == {1.0}
    assert set(artifact.history.type_sets.tolist()) == {1}
    assert artifact.first_seen.tolist() == [0] * 12
    assert artifact.catalogue.item(0).attributes == {}
    assert artifact.manifest.blend == BlendInfo(personal=1)
    assert artifact.manifest.stream_sequence == 0


def golden_shop_of_format_2() -> tiny_artifact.Shop:
    """What `artifact_v2` was written from, by `publish` with this blend and this sequence."""
    return replace(
        tiny_artifact.with_als_fold_in(tiny_artifact.checkerboard(), recency=np.linspace(1, 0.5, 12, dtype=np.float32)),
        attributes={"colour": ["white", "black"] * 6, "brand": ["Oak", None, "Elm"] * 4},
        first_seen=np.arange(12) * 86_400,
    )


def test_format_2_loads_with_all_that_it_holds() -> None:
    artifact = open_artifact(GOLDEN / "artifact_v2")
    expected = golden_shop_of_format_2()
    assert [artifact.users.id_of(row) for row in range(len(artifact.users))] == expected.user_ids
    assert [artifact.history.rows(row).tolist() for row in range(6)] == expected.histories
    assert artifact.catalogue.item(3).attributes == {"colour": "black", "brand": "Oak"}
    assert artifact.catalogue.item(4).attributes == {"colour": "white"}
    assert artifact.first_seen.tolist() == [day * 86_400 for day in range(12)]
    assert artifact.manifest.blend == BlendInfo(popularity=0.25, recency=0.125, recency_half_life_days=7)
    assert artifact.manifest.stream_sequence == 42
    assert artifact.fold_in is not None
    assert expected.fold_in is not None
    assert artifact.fold_in.info == expected.fold_in.info
    np.testing.assert_array_equal(artifact.fold_in.item_scale, expected.fold_in.item_scale)
    np.testing.assert_array_equal(artifact.fold_in.item_weights, expected.fold_in.item_weights)
    np.testing.assert_allclose(artifact.fold_in.spectrum, expected.fold_in.spectrum, rtol=1e-6)


@pytest.mark.parametrize("number", range(1, FORMAT_VERSION + 1))
def test_every_format_serves(number: int) -> None:
    artifact = open_artifact(GOLDEN / f"artifact_v{number}")
    retriever = Retriever(artifact, live=LiveState(), counts=SourceCounts(session=0, popular=0, trending=0, new=0))
    found = retriever.candidates(Asker(user_id="user-02"), Conditions(), count=1)
    assert [artifact.items.id_of(row) for row in found.candidates.rows] == ["item-02"]
