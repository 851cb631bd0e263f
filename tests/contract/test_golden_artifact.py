"""Every artifact format that was ever published must load for ever."""

from pathlib import Path

import numpy as np
import tiny_artifact

from candidate_gen.retriever import Retriever
from recsys.artifact.manifest import FORMAT_VERSION
from recsys.artifact.reader import open_artifact

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


def test_format_1_serves() -> None:
    artifact = open_artifact(GOLDEN / "artifact_v1")
    retriever = Retriever(artifact)
    row = retriever.user_row("user-02")
    assert row is not None
    assert retriever.for_user(row, count=1, include_seen=False).item_ids == ["item-02"]
