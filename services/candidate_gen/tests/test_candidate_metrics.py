"""What candidate_gen counts: sources, origins of vectors, and what share of the exact nearest items its index finds."""

from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from tiny_artifact import publish, random_shop

from candidate_gen.excluded import Seen
from candidate_gen.metrics import CandidateMetrics
from candidate_gen.query.query_vectors import VectorOrigin
from candidate_gen.retriever import Asker, Conditions, Retriever
from candidate_gen.search.recall_sample import RecallSample
from candidate_gen.sources import SourceCounts
from recsys.artifact.reader import open_artifact
from recsys.feature_store.follower import LiveState

COUNT = 20
SHOP = random_shop(seed=1, users=30, items=400)
ANY = Conditions(seen=Seen(is_included=True))


class Clock:
    """Goes on when told to."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def retriever_of(folder: Path, *, recall: RecallSample, factory: str, search_effort: int | None) -> Retriever:
    version = publish(SHOP, folder, factory=factory, search_effort=search_effort)
    return Retriever(open_artifact(version), live=LiveState(), counts=SourceCounts(), recall=recall)


def recall_of(sample: RecallSample, retriever: Retriever, clock: Clock) -> float:
    """Over all users, a sample each."""
    for row in range(len(retriever.artifact.users)):
        retriever.candidates(Asker(user_id=retriever.artifact.users.id_of(row)), ANY, count=COUNT)
        sample.measure()  # the search that was kept
        clock.now_s += 61
        sample.measure()  # time for the next
    return sample.found / sample.expected


def test_an_exact_index_finds_everything(tmp_path: Path) -> None:
    clock = Clock()
    sample = RecallSample(every_s=60, clock=clock)
    retriever = retriever_of(tmp_path, recall=sample, factory="Flat", search_effort=None)
    assert recall_of(sample, retriever, clock) == 1
    assert sample.expected == 30 * COUNT


def test_an_index_that_looks_at_a_part_of_the_catalogue_finds_the_share_that_brute_force_says(tmp_path: Path) -> None:
    clock = Clock()
    sample = RecallSample(every_s=60, clock=clock)
    retriever = retriever_of(tmp_path, recall=sample, factory="IVF16,Flat", search_effort=2)
    recall = recall_of(sample, retriever, clock)

    found = 0
    for user in range(30):
        query = retriever.artifact.user_embeddings[user]
        scores = np.where(SHOP.available, retriever.artifact.item_embeddings @ query, -np.inf)
        exact = set((-scores).argsort(kind="stable")[:COUNT].tolist())
        asker = Asker(user_id=retriever.artifact.users.id_of(user))
        retrieved = retriever.candidates(asker, ANY, count=COUNT)
        found += len(exact & set(retrieved.candidates.rows[: retrieved.nearest].tolist()))
    assert recall == found / (30 * COUNT)
    assert 0.2 < recall < 0.99


def test_one_search_in_the_time_between_two_samples_is_made_again_and_none_where_that_is_off(tmp_path: Path) -> None:
    for every_s, expected in ((60.0, COUNT), (0.0, 0)):
        sample = RecallSample(every_s=every_s, clock=Clock())
        retriever = retriever_of(tmp_path / str(every_s), recall=sample, factory="Flat", search_effort=None)
        for _ in range(5):
            retriever.candidates(Asker(user_id=SHOP.user_ids[0]), ANY, count=COUNT)
            sample.measure()
        assert sample.expected == expected


def test_candidates_are_counted_by_source_and_retrievals_by_the_origin_of_their_vector(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    metrics = CandidateMetrics(RecallSample())
    registry.register(metrics)
    retriever = retriever_of(tmp_path, recall=RecallSample(), factory="Flat", search_effort=None)
    for user_id in (retriever.artifact.users.id_of(0), "nobody"):
        retrieved = retriever.candidates(Asker(user_id=user_id), ANY, count=COUNT)
        metrics.retrieved(retrieved.query.origin, retrieved.nearest, retrieved.others)

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, labels)

    assert value("recsys_query_vectors_total", origin="trained") == 1
    assert value("recsys_query_vectors_total", origin="none") == 1
    assert value("recsys_query_vectors_total", origin="folded_in") == 0
    assert value("recsys_candidates_total", source="ann") == COUNT  # nobody has no vector to search with
    assert value("recsys_candidates_total", source="popular") == 20 + COUNT
    assert value("recsys_candidates_total", source="trending") == 0


@pytest.mark.parametrize("origin", VectorOrigin)
def test_every_origin_is_shown_from_the_start(origin: VectorOrigin) -> None:
    registry = CollectorRegistry()
    registry.register(CandidateMetrics(RecallSample()))
    assert registry.get_sample_value("recsys_query_vectors_total", {"origin": origin.name.lower()}) == 0
