"""The third system of `benchmarks.serving`: our own code in one process, with no gRPC between its parts.

`python -m benchmarks.our_code_in_one_process` is `python -m gateway` but for its clients, which call the servicers of
candidate_gen and the reranker as functions. So one process has every feature of ours: what it takes beside the baseline
is what the features cost, and what the three processes take beside it is what their shape costs.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, Final, cast
from unittest.mock import patch

import faiss
import grpc

import candidate_gen.app
import gateway.__main__
import reranker.app
from candidate_gen.servicer import CandidateGenServicer
from candidate_gen.settings import Settings as CandidateGenSettings
from gateway.clients import CandidateGenClient, Clients, RerankerClient
from gateway.settings import Settings
from recsys.feature_store.follower import Follower, LiveState
from recsys.observability.metrics import Metrics
from recsys.process import read_settings
from recsys.rpc.model_servicer import ModelServicer
from reranker.servicer import RerankerServicer
from reranker.settings import Settings as RerankerSettings

Method = Callable[[Any, grpc.ServicerContext], Any]
Call = Callable[..., Awaitable[Any]]

NO_CONTEXT: Final = cast(grpc.ServicerContext, None)  # the servicers do not look at it


def called(method: Method) -> Call:
    """Nothing stands between both."""

    async def call(request: Any, *, timeout_s: float) -> Any:
        return method(request, NO_CONTEXT)

    return call


@asynccontextmanager
async def in_process(
    _: Settings, _calls: object = None, *, called: Callable[[Method], Call] = called
) -> AsyncIterator[Clients]:
    """In the place of `gateway.clients.connect`: both services with the settings that their processes would have.

    What the gateway asks for lists, and whether the services are ready, is answered; the look-ups are not. `called`
    makes a client's call of a servicer's method. Calls are not counted.
    """
    faiss.omp_set_num_threads(1)
    first, second = read_settings(CandidateGenSettings), read_settings(RerankerSettings)
    live = LiveState()
    follower = Follower(first.feature_store_url, live)
    follower.start()
    retrievers = candidate_gen.app.create(first, live, Metrics())[1]  # the servers are never started
    rankers = reranker.app.create(second, live, Metrics())[1]
    find = CandidateGenServicer(retrievers, max_count=first.max_count)
    rank = RerankerServicer(rankers, max_candidates=second.max_candidates)
    to_first = SimpleNamespace(
        get_candidates=called(find.GetCandidates),
        get_similar_items=called(find.GetSimilarItems),
        get_popular_items=called(find.GetPopularItems),
        get_health=_serving,
        is_unavailable=False,
    )
    to_second = SimpleNamespace(
        rerank=called(rank.Rerank),
        get_model=called(ModelServicer(rankers).GetModel),
        get_health=_serving,
        is_unavailable=False,
    )
    retrievers.start()
    rankers.start()
    try:
        yield Clients(cast(CandidateGenClient, to_first), cast(RerankerClient, to_second))
    finally:
        rankers.stop()
        retrievers.stop()
        follower.stop()


async def _serving(*, timeout_s: float) -> str:
    return "SERVING"


if __name__ == "__main__":
    with patch.object(gateway.__main__, "connect", in_process):
        gateway.__main__.main()
