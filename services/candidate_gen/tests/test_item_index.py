"""An index that is not of the version's items is refused by name."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_artifact import publish, random_shop, serialized_index

from candidate_gen.retriever import Retriever
from candidate_gen.search.item_index import ItemIndex
from candidate_gen.sources import SourceCounts
from recsys.artifact.reader import open_artifact
from recsys.errors import ArtifactError
from recsys.feature_store.follower import LiveState

VECTORS = np.random.default_rng(0).standard_normal((200, 8), dtype=np.float32)


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_neighbours_come_without_padding(tmp_path: Path) -> None:
    path = written(tmp_path / "i.faiss", serialized_index(VECTORS).tobytes())
    found = ItemIndex(path, item_count=200, dim=8, search_effort=None).search(VECTORS[0], 500)
    assert sorted(found.rows.tolist()) == list(range(200))
    assert found.scores[0] == pytest.approx((VECTORS @ VECTORS[0]).max())


def test_the_search_effort_decides_how_much_is_looked_at(tmp_path: Path) -> None:
    path = written(tmp_path / "i.faiss", serialized_index(VECTORS, "IVF4,Flat").tobytes())
    narrow = ItemIndex(path, item_count=200, dim=8, search_effort=1)
    wide = ItemIndex(path, item_count=200, dim=8, search_effort=4)
    assert len(narrow.search(VECTORS[0], 200).rows) < 200
    assert len(wide.search(VECTORS[0], 200).rows) == 200


@pytest.mark.parametrize(
    ("item_count", "dim", "message"),
    [(201, 8, "vectors: expected 201, found 200"), (200, 16, "dimensions: expected 16, found 8")],
)
def test_another_shape_is_refused(tmp_path: Path, item_count: int, dim: int, message: str) -> None:
    path = written(tmp_path / "i.faiss", serialized_index(VECTORS).tobytes())
    with pytest.raises(ArtifactError, match=rf"i\.faiss: {message}"):
        ItemIndex(path, item_count=item_count, dim=dim, search_effort=None)


def test_a_file_that_is_no_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"i\.faiss: expected a FAISS index, found"):
        ItemIndex(written(tmp_path / "i.faiss", b"no index"), item_count=1, dim=1, search_effort=None)


def test_an_index_of_other_vectors_is_refused(tmp_path: Path) -> None:
    shop = random_shop(seed=3, users=20, items=200)
    other = replace(shop, item_embeddings=VECTORS)
    foreign = open_artifact(publish(other, tmp_path / "other"))
    artifact = open_artifact(publish(shop, tmp_path / "right"))
    counts = SourceCounts()
    Retriever(artifact, live=LiveState(), counts=counts)  # as it is, it is taken
    wrong = replace(artifact, retrieval_index_path=foreign.retrieval_index_path)
    with pytest.raises(ArtifactError, match=r"retrieval\.faiss: expected 0\.50 of the sampled answers"):
        Retriever(wrong, live=LiveState(), counts=counts)
    wrong = replace(artifact, similar_index_path=foreign.similar_index_path)
    with pytest.raises(ArtifactError, match=r"similar\.faiss: expected 0\.50 of the sampled answers"):
        Retriever(wrong, live=LiveState(), counts=counts)
