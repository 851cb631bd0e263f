"""Where the time of one request goes, stage by stage: the figures of docs/adr/0011-where-the-time-goes.md.

    make benchmark-serving-profile    # or: .venv/bin/python -m benchmarks.serving_profile [--items 1000000]

In process, as thread time: FAISS alone (the baseline), then candidate_gen and the reranker as their servers call them,
for users drawn at random, so that caches are as cold as requests find them. Between processes, one call after the
other: an empty call over a call stream and as a unary one, and candidate_gen over both, as ratios to FAISS alone.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import Any, Final, cast

import faiss
import grpc
import numpy as np
import uvloop

from benchmarks import serving_volume
from benchmarks.one_process_service import CANDIDATES
from candidate_gen.retriever import Retriever
from candidate_gen.servicer import CandidateGenServicer
from candidate_gen.sources import SourceCounts
from recsys.artifact import layout
from recsys.artifact.reader import open_artifact
from recsys.artifact.watcher import Watcher
from recsys.feature_store.follower import LiveState
from recsys.rpc.call_streams import UnaryMethod, open_call_streams
from recsys.rpc.channel import call_unary, open_channel
from recsys.v1.candidate_gen_service_pb2 import GetCandidatesRequest, GetCandidatesResponse
from recsys.v1.candidate_gen_service_pb2_grpc import CandidateGenServiceStub
from recsys.v1.reranker_service_pb2 import RerankRequest
from reranker.ranker import Ranker
from reranker.servicer import RerankerServicer
from tools.local_stack import LocalStack, Ports

_REQUESTS: Final = 2_000
_TIMEOUT_S: Final = 5.0
_STREAM_OPENS_S: Final = 0.5
_NO_CONTEXT: Final = cast(grpc.ServicerContext, None)  # the servicers do not look at it


class _Only:
    """A watcher of one model."""

    def __init__(self, model: object) -> None:
        self._model = model

    def get(self, _: str) -> object:
        return self._model


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=1_000_000)
    n_items = parser.parse_args().items
    volume = serving_volume.volume_of(n_items=n_items, n_users=n_items)
    users = [serving_volume.user_id(n) for n in np.random.default_rng(0).integers(0, n_items, _REQUESTS).tolist()]
    called = uvloop.run(between_processes(volume, users))  # as the gateway; first, while this process is small
    rows = in_process(volume, users) | called
    alone = rows["FAISS alone"]
    print("| what | p50 ms | ÷ FAISS alone |\n|---|---|---|")
    for what, took_ms in rows.items():
        print(f"| {what} | {took_ms:.2f} | {took_ms / alone:.2f} |")


def in_process(volume: Path, users: list[str]) -> dict[str, float]:
    """Median thread time of each stage by name, in milliseconds."""
    version = layout.current_version(volume)
    assert version is not None
    faiss.omp_set_num_threads(1)
    artifact = open_artifact(layout.version_dir(volume, version))
    retriever = Retriever(artifact, live=LiveState(), counts=SourceCounts())
    first = CandidateGenServicer(cast(Watcher[Retriever], _Only(retriever)), max_count=CANDIDATES)
    second = RerankerServicer(cast(Watcher[Ranker], _Only(Ranker(artifact))), max_candidates=10 * CANDIDATES)
    took: dict[str, list[float]] = {"FAISS alone": [], "candidate_gen in process": [], "reranker in process": []}
    half = len(users) // 2
    for user in users[:half]:  # other users than those below, whose lists it would warm
        row = artifact.users.row_of(user)
        vector = np.asarray(artifact.user_embeddings[row])
        started = time.thread_time()
        retriever.retrieval.index.search(vector, CANDIDATES)
        took["FAISS alone"].append(time.thread_time() - started)
    for user in users[half:]:
        asked = GetCandidatesRequest(user_id=user, count=CANDIDATES, packed=True).SerializeToString()
        started = time.thread_time()
        found = first.GetCandidates(GetCandidatesRequest.FromString(asked), _NO_CONTEXT)
        found.SerializeToString()
        took["candidate_gen in process"].append(time.thread_time() - started)
        to_rank = rerank_request(found).SerializeToString()
        started = time.thread_time()
        second.Rerank(RerankRequest.FromString(to_rank), _NO_CONTEXT).SerializeToString()
        took["reranker in process"].append(time.thread_time() - started)
    return {name: median(values) * 1e3 for name, values in took.items()}


async def between_processes(volume: Path, users: list[str]) -> dict[str, float]:
    """Median time of each kind of call by name, in milliseconds."""
    with tempfile.TemporaryDirectory() as logs, LocalStack(volume, ports=Ports.free(), log_dir=Path(logs)) as stack:
        async with (
            open_channel(f"127.0.0.1:{stack.ports.candidate_gen}") as channel,
            open_call_streams(channel, count=1) as streams,
        ):
            stub = CandidateGenServiceStub(channel)
            method = UnaryMethod(
                "/recsys.v1.CandidateGenService/GetCandidates", stub.GetCandidates, GetCandidatesResponse
            )
            await asyncio.sleep(_STREAM_OPENS_S)

            async def over_a_stream(request: GetCandidatesRequest) -> object:
                return await streams.call(method, request, timeout_s=_TIMEOUT_S)

            async def unary(request: GetCandidatesRequest) -> object:
                return await call_unary(method.call, request, timeout_s=_TIMEOUT_S)

            nothing = [
                GetCandidatesRequest(user_id=user, count=0, packed=True) for user in users
            ]  # refused before any work
            whole = [GetCandidatesRequest(user_id=user, count=CANDIDATES, packed=True) for user in users]
            return {
                "an empty call over a call stream": await timed(over_a_stream, nothing),
                "an empty unary call": await timed(unary, nothing),
                "candidate_gen over a call stream": await timed(over_a_stream, whole),
                "candidate_gen by unary calls": await timed(unary, whole),
            }


async def timed(ask: Callable[[GetCandidatesRequest], Awaitable[Any]], requests: list[GetCandidatesRequest]) -> float:
    """Median milliseconds of a request, one after the other."""
    took = []
    for request in requests:
        started = time.perf_counter()
        try:
            await ask(request)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.INVALID_ARGUMENT:
                raise
        took.append(time.perf_counter() - started)
    return median(took) * 1e3


def rerank_request(found: GetCandidatesResponse) -> RerankRequest:
    """What the gateway asks the reranker after this."""
    return RerankRequest(
        artifact_version=found.artifact_version,
        query_vector=found.query_vector,
        candidates=found.candidates,
        count=10,
    )


if __name__ == "__main__":
    main()
