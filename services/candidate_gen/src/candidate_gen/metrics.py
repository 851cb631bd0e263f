"""What candidate_gen counts beside its calls: whence query vectors and candidates come, and what the index finds."""

import threading
from collections.abc import Iterator, Sequence
from typing import Final

from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from candidate_gen.candidates import Proposals
from candidate_gen.query.query_vectors import VectorOrigin
from candidate_gen.search.recall_sample import RecallSample
from recsys.shop.sources import Source

_OF_LISTS: Final = tuple(source for source in Source if source not in (Source.SIMILAR, Source.RULE))


class CandidateMetrics(Collector):
    """Plain numbers under one lock: a request has seven to count, and a microsecond for all of them."""

    def __init__(self, recall: RecallSample) -> None:
        self._lock = threading.Lock()
        self._origins = [0] * (max(VectorOrigin) + 1)
        self._sources = [0] * (max(Source) + 1)
        self._recall = recall

    def retrieved(self, origin: VectorOrigin, nearest: int, others: Sequence[Proposals]) -> None:
        """Count one retrieval for somebody: so many items of the index, and what other sources proposed."""
        sources = self._sources
        with self._lock:
            self._origins[origin] += 1
            sources[Source.ANN] += nearest
            for each in others:
                sources[each.source] += len(each.ranked)

    def collect(self) -> Iterator[Metric]:
        with self._lock:
            origins, sources = self._origins.copy(), self._sources.copy()
        vectors = CounterMetricFamily(
            "recsys_query_vectors", "Retrievals for somebody, by where the query vector came from", labels=["origin"]
        )
        for origin in VectorOrigin:
            vectors.add_metric([origin.name.lower()], origins[origin])
        candidates = CounterMetricFamily(
            "recsys_candidates", "Candidates for somebody, by the source that proposed them", labels=["source"]
        )
        for source in _OF_LISTS:
            candidates.add_metric([source.label], sources[source])
        yield from (vectors, candidates)
        self._recall.measure()
        yield CounterMetricFamily(
            "recsys_ann_sampled_neighbours", "Exact nearest items of searches made again", value=self._recall.expected
        )
        yield CounterMetricFamily(
            "recsys_ann_found_neighbours", "Those of them that the index had found", value=self._recall.found
        )
