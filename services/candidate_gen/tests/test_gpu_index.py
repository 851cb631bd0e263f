"""An index on a GPU answers as the one in main memory; the GPU itself is a fake, whose indexes are FAISS's own."""

import logging
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from tiny_artifact import publish, random_shop, serialized_index

from candidate_gen.retriever import Asker, Conditions, Retriever
from candidate_gen.search import cuda
from candidate_gen.search.gpu_index import GpuItemIndex, index_class
from candidate_gen.search.item_index import Among, ItemIndex
from candidate_gen.sources import SourceCounts
from recsys.artifact.reader import open_artifact
from recsys.feature_store.follower import LiveState
from recsys.shop.filter import Filter

ITEMS, DIM = 4_000, 8
RNG = np.random.default_rng(0)
VECTORS = RNG.standard_normal((ITEMS, DIM), dtype=np.float32)
QUERIES = RNG.standard_normal((20, DIM), dtype=np.float32)


class FakeGpu:
    """Searches as FAISS does in main memory, without selectors, and says what it was asked."""

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self.fetched: list[int] = []
        self.parameters: list[Any] = []
        self.finds_at_most = ITEMS

    def copied(self, index: faiss.Index) -> "FakeIndex":
        self.kinds.append(type(faiss.downcast_index(index)).__name__)
        return FakeIndex(self, index)

    def cagra(self, vectors: np.ndarray) -> "FakeIndex":
        self.kinds.append("cagra")
        flat = faiss.IndexFlatIP(vectors.shape[1])
        flat.add(vectors)
        return FakeIndex(self, flat)


class FakeIndex:
    def __init__(self, gpu: FakeGpu, index: faiss.Index) -> None:
        self._gpu, self._index = gpu, index

    def search(self, queries: np.ndarray, fetch: int, *, params: Any) -> tuple[np.ndarray, np.ndarray]:
        assert fetch <= 2_048, "a GPU refuses more"
        self._gpu.fetched.append(fetch)
        self._gpu.parameters.append(params)
        scores, rows = self._index.search(queries, fetch)
        rows[:, self._gpu.finds_at_most :] = -1
        return scores, rows


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> FakeGpu:
    fake = FakeGpu()
    monkeypatch.setattr(cuda, "gpu_count", lambda: 1)
    monkeypatch.setattr(cuda, "copied", fake.copied)
    monkeypatch.setattr(cuda, "cagra", fake.cagra)
    monkeypatch.setattr(cuda, "cagra_parameters", lambda fetch: ("cagra", fetch))
    return fake


def opened(kind: type[ItemIndex], folder: Path, factory: str, effort: int | None = None) -> ItemIndex:
    path = folder / f"{factory}.faiss"
    path.write_bytes(serialized_index(VECTORS, factory).tobytes())
    return kind(path, item_count=ITEMS, dim=DIM, search_effort=effort)


def among(share: float) -> Among:
    mask = np.random.default_rng(1).random(ITEMS) < share
    packed = np.packbits(mask, bitorder="little")
    bitmap = np.concatenate([packed, np.zeros(-len(packed) % 8, np.uint8)])
    return Among(bitmap, size=int(mask.sum()), n_items=ITEMS)


@pytest.mark.parametrize(
    ("factory", "effort", "on_gpu"),
    [
        ("Flat", None, "IndexFlatIP"),
        ("SQfp16", None, "IndexFlatIP"),
        ("IVF16,SQ8", 16, "IndexIVFScalarQuantizer"),
        ("IVF16,Flat", 16, "IndexIVFFlat"),
    ],
)
@pytest.mark.parametrize("share", [1.0, 0.7, 0.3, 0.02])
def test_what_is_found_is_what_main_memory_finds(
    gpu: FakeGpu, tmp_path: Path, factory: str, effort: int | None, on_gpu: str, share: float
) -> None:
    items = among(share)
    plain, on_card = (opened(kind, tmp_path, factory, effort) for kind in (ItemIndex, GpuItemIndex))
    assert gpu.kinds == [on_gpu]
    for query in QUERIES:
        expected, found = (each.search(query, 50, among=items) for each in (plain, on_card))
        np.testing.assert_array_equal(np.sort(found.rows), np.sort(expected.rows))
        np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-4)
    many, expected_many = (each.search_many(QUERIES, 50, among=items) for each in (on_card, plain))
    np.testing.assert_array_equal(np.sort(many), np.sort(expected_many))


def test_scores_stay_with_their_items_where_more_are_wanted_than_there_are(gpu: FakeGpu, tmp_path: Path) -> None:
    few = 40
    path = tmp_path / "few.faiss"
    path.write_bytes(serialized_index(VECTORS[:few], "Flat").tobytes())
    index = GpuItemIndex(path, item_count=few, dim=DIM, search_effort=None)
    odd = Among(np.full(8, 0b10101010, np.uint8), size=few // 2, n_items=few)
    found = index.search(QUERIES[0], 100, among=odd)
    assert gpu.fetched == [few]
    assert sorted(found.rows.tolist()) == list(range(1, few, 2))
    np.testing.assert_allclose(found.scores, VECTORS[found.rows] @ QUERIES[0], rtol=1e-4)


def test_a_graph_is_built_again_as_cagra_and_asked_for_what_it_keeps_in_mind(gpu: FakeGpu, tmp_path: Path) -> None:
    exact, index = opened(ItemIndex, tmp_path, "Flat"), opened(GpuItemIndex, tmp_path, "HNSW16", 64)
    assert gpu.kinds == ["cagra"]
    for items, asked in ((None, 1), (among(0.5), 2), (among(0.05), 2)):  # of the last, 1,200: the graph in main memory
        found = index.search(QUERIES[0], 50, among=items)
        assert len(gpu.fetched) == asked
        if items is None or items.size > ITEMS / 4:
            assert set(found.rows) == set(exact.search(QUERIES[0], 50, among=items).rows)
        assert gpu.parameters[-1] == ("cagra", gpu.fetched[-1])


def test_the_gpu_is_asked_for_what_the_set_leaves_out_and_not_for_more_than_it_gives(
    gpu: FakeGpu, tmp_path: Path
) -> None:
    index = opened(GpuItemIndex, tmp_path, "Flat")
    index.search(QUERIES[0], 50)
    index.search(QUERIES[0], 50, among=among(0.5))
    assert gpu.fetched[0] == 50
    assert 100 < gpu.fetched[1] < 140
    index.search(QUERIES[0], 50, among=among(0.02))  # would be 3,000
    index.search(QUERIES[0], 50, among=among(0.5), factor=4)
    assert len(gpu.fetched) == 2


def test_an_answer_that_comes_short_is_asked_for_again_in_main_memory(gpu: FakeGpu, tmp_path: Path) -> None:
    plain, index = (opened(kind, tmp_path, "Flat") for kind in (ItemIndex, GpuItemIndex))
    gpu.finds_at_most = 30
    items = among(0.5)
    expected = plain.search(QUERIES[0], 50, among=items)
    np.testing.assert_array_equal(index.search(QUERIES[0], 50, among=items).rows, expected.rows)
    np.testing.assert_array_equal(index.search_many(QUERIES[:1], 50, among=items), expected.rows[np.newaxis])


def test_an_index_that_the_gpu_has_no_room_for_is_searched_in_main_memory_and_the_log_says_so(
    gpu: FakeGpu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_room(index: faiss.Index) -> None:
        raise RuntimeError("cudaMalloc: out of memory")

    monkeypatch.setattr(cuda, "copied", no_room)
    index = opened(GpuItemIndex, tmp_path, "Flat")
    [record] = caplog.records
    assert (record.levelno, record.reason) == (logging.ERROR, "cudaMalloc: out of memory")  # type: ignore[attr-defined] # extra
    assert len(index.search(QUERIES[0], 50).rows) == 50


def test_without_a_gpu_main_memory_is_searched_and_the_log_says_why(caplog: pytest.LogCaptureFixture) -> None:
    assert index_class("cpu") is ItemIndex
    assert caplog.records == []
    assert index_class("cuda") is ItemIndex  # the build of these tests has none
    [record] = caplog.records
    assert (record.levelno, record.message) == (
        logging.ERROR,
        "CANDIDATE_GEN_INDEX_DEVICE=cuda: expected a GPU, found none: searching in main memory",
    )
    assert "gpu.Dockerfile" in record.reason  # type: ignore[attr-defined] # extra


@pytest.mark.parametrize("factory", ["Flat", "HNSW16"])
def test_a_version_is_checked_and_served_from_the_gpu_as_from_main_memory(
    gpu: FakeGpu, tmp_path: Path, factory: str
) -> None:
    shop = random_shop(seed=1, users=20, items=600)
    artifact = open_artifact(publish(shop, tmp_path, factory=factory, search_effort=600 if factory != "Flat" else None))
    plain, on_card = (
        Retriever(artifact, live=LiveState(), counts=SourceCounts(), index_class=kind)
        for kind in (ItemIndex, index_class("cuda"))
    )
    assert gpu.fetched  # by the check of the version
    for user_id in shop.user_ids:
        for conditions in (Conditions(), Conditions(filter=Filter(categories=("even",)))):
            expected, found = (
                each.candidates(Asker(user_id=user_id), conditions, count=20) for each in (plain, on_card)
            )
            np.testing.assert_array_equal(found.candidates.rows, expected.candidates.rows)
