"""Users a second of a campaign over gRPC, beside FAISS alone in one process; and what online requests feel of it.

    make benchmark-campaigns      # or: .venv/bin/python -m benchmarks.campaigns [--users N --threads 2 --blended]

In one run, on the same cores: candidate_gen as a real process, asked for the top 50 of many users through streams of
`CampaignService` (ids in, ids and exact scores out, without seen items), and the baseline: `index.search` of
such users' vectors in the same batches for 50 rows each, with as many threads, and nothing else. Both take turns, since
the speed of a shared machine drifts; processor time is that of all their threads. Then online requests are asked for
one after the other, without and with a campaign.
"""

import argparse
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import faiss
import grpc
import numpy as np
from numpy.typing import NDArray

from benchmarks import load, serving_volume
from recsys.artifact.reader import Artifact
from recsys.rpc.channel import open_blocking_channel
from recsys.v1.campaign_service_pb2 import GetTopItemsRequest, TopItemsSettings
from recsys.v1.campaign_service_pb2_grpc import CampaignServiceStub
from recsys.v1.candidate_gen_service_pb2 import GetCandidatesRequest
from recsys.v1.candidate_gen_service_pb2_grpc import CandidateGenServiceStub
from tools.local_stack import PYTHON, Ports

COUNT: Final = 50
USERS_A_MESSAGE: Final = 1_280
BATCH: Final = 256  # as candidate_gen searches
ROUNDS: Final = 10
BASELINE_USERS: Final = 3_000  # a round
ONLINE_CANDIDATES: Final = 200
_PRIME: Final = 7_919  # users far apart, each once
_READY_WITHIN_S: Final = 60
_LONGEST_S: Final = 3_600


@dataclass(frozen=True)
class Speed:
    """What a number of users took."""

    users: int
    wall_s: float
    cpu_s: float

    @property
    def per_s(self) -> float:
        return self.users / self.wall_s

    @property
    def cpu_us(self) -> float:
        return self.cpu_s / self.users * 1e6


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--all-users", type=int, default=1_000_000, help="users that the model knows")
    parser.add_argument("--users", type=int, default=100_000, help="of them, how many get a list")
    parser.add_argument("--threads", type=int, default=1, help="of the baseline, streams, and threads that answer them")
    parser.add_argument("--blended", action="store_true", help="a version whose blend counts transitions too")
    parser.add_argument("--online-seconds", type=float, default=8)
    arguments = parser.parse_args()
    volume = serving_volume.volume_of(
        n_items=arguments.items, n_users=arguments.all_users, is_blended=arguments.blended
    )
    artifact = serving_volume.live_artifact(volume)
    rows = np.arange(arguments.users) * _PRIME % arguments.all_users
    threads = arguments.threads
    print(f"{arguments.items:,} items, {arguments.all_users:,} users, d={artifact.manifest.dim}, {threads} thread(s)")
    with candidate_gen(volume, threads=threads) as (channel, pid):
        bare, ours = [], []
        for part in np.array_split(rows, ROUNDS):
            bare.append(faiss_alone(artifact, part[:BASELINE_USERS], threads=threads))
            ours.append(campaign(channel, pid, part, threads=threads))
        print(compared(bare, ours, name=artifact.manifest.index.factory, users=arguments.users))
        calm = online(channel, arguments.all_users, seconds=arguments.online_seconds)
        with campaign_under_way(channel, rows, threads=threads):
            disturbed = online(channel, arguments.all_users, seconds=arguments.online_seconds)
    for name, found in (("no campaign", calm), ("a campaign running", disturbed)):
        p50, p95, p99 = np.percentile(found, [50, 95, 99])
        print(f"online, {name}: p50 {p50:.2f} p95 {p95:.2f} p99 {p99:.2f} ms, {len(found):,} requests one by one")


def compared(bare: Sequence[Speed], ours: Sequence[Speed], *, name: str, users: int) -> str:
    """What both took, and the ratios."""
    ratio = median(own.per_s / base.per_s for own, base in zip(ours, bare, strict=True))
    base, own = median(each.per_s for each in bare), median(each.per_s for each in ours)
    base_cpu, own_cpu = median(each.cpu_us for each in bare), median(each.cpu_us for each in ours)
    return (
        f"FAISS alone, {name}: {base:,.0f} users/s, {base_cpu:.0f} µs of processor time a user\n"
        f"campaign over gRPC, {users:,} users × {COUNT} in {sum(each.wall_s for each in ours):.0f} s: "
        f"{own:,.0f} users/s, {own_cpu:.0f} µs of processor time a user\n"
        f"campaign ÷ FAISS alone: {ratio:.2f} of the users/s, {own_cpu / base_cpu:.2f} of the processor time\n"
        f"1,000,000 users at that speed: {1e6 / own:,.0f} s (FAISS alone {1e6 / base:,.0f} s)"
    )


def faiss_alone(artifact: Artifact, rows: NDArray[np.int64], *, threads: int) -> Speed:
    """The bare search; each thread has a part of the users."""
    index = serving_volume.mapped_index(artifact)
    vectors = np.asarray(artifact.user_embeddings)[rows]

    def search(part: NDArray[np.float32]) -> None:
        faiss.omp_set_num_threads(1)
        for start in range(0, len(part), BATCH):
            index.search(part[start : start + BATCH], COUNT)

    search(vectors[:BATCH])  # its pages are in memory from here on
    with ThreadPoolExecutor(threads) as pool:
        started, cpu_s = time.perf_counter(), time.process_time()
        list(pool.map(search, np.array_split(vectors, threads)))
        return Speed(len(rows), time.perf_counter() - started, time.process_time() - cpu_s)


def campaign(channel: grpc.Channel, pid: int, rows: NDArray[np.int64], *, threads: int) -> Speed:
    """So many streams, each with a part of the users. Every list is looked at: all are full."""

    def one(part: NDArray[np.int64]) -> None:
        for response in _stream(channel, part):
            assert list(response.lengths) == [COUNT] * len(response.lengths)
            assert len(np.frombuffer(response.items, "<u4")) == len(np.frombuffer(response.scores, "<f4"))

    with ThreadPoolExecutor(threads) as pool:
        started, cpu_s = time.perf_counter(), load.cpu_s([pid])
        list(pool.map(one, np.array_split(rows, threads)))
        return Speed(len(rows), time.perf_counter() - started, load.cpu_s([pid]) - cpu_s)


@contextmanager
def campaign_under_way(channel: grpc.Channel, rows: NDArray[np.int64], *, threads: int) -> Iterator[None]:
    """Streams that go on until the end of the block."""
    streams = [_stream(channel, rows) for _ in range(threads)]
    for stream in streams:
        next(stream)
    readers = [threading.Thread(target=_read_until_cancelled, args=(stream,)) for stream in streams]
    for reader in readers:
        reader.start()
    try:
        yield
        if any(not reader.is_alive() for reader in readers):
            sys.exit("the campaign ended before the online requests did: give it more --users")
    finally:
        for stream in streams:
            stream.cancel()
        for reader in readers:
            reader.join()


def online(channel: grpc.Channel, n_users: int, *, seconds: float) -> list[float]:
    """Milliseconds of requests for the candidates of one user, one after the other."""
    stub = CandidateGenServiceStub(channel)
    took: list[float] = []
    end = time.perf_counter() + seconds
    while (started := time.perf_counter()) < end:
        user = serving_volume.user_id(len(took) * 104_729 % n_users)
        stub.GetCandidates(GetCandidatesRequest(user_id=user, count=ONLINE_CANDIDATES), timeout=5)
        took.append((time.perf_counter() - started) * 1e3)
    return took


@contextmanager
def candidate_gen(volume: Path, *, threads: int) -> Iterator[tuple[grpc.Channel, int]]:
    """The service as a process of its own, once it answers: a channel to it, and its id."""
    port = Ports.free().candidate_gen
    settings = {
        "CANDIDATE_GEN_ARTIFACT_DIR": str(volume),
        "CANDIDATE_GEN_PORT": str(port),
        "CANDIDATE_GEN_CAMPAIGN_THREADS": str(threads),
        "CANDIDATE_GEN_LOG_LEVEL": "WARNING",
    }
    with subprocess.Popen([str(PYTHON), "-m", "candidate_gen"], env=os.environ | settings) as process:
        try:
            with open_blocking_channel(f"127.0.0.1:{port}") as channel:
                _wait_until_it_answers(channel, process)
                yield channel, process.pid
        finally:
            process.terminate()


def _wait_until_it_answers(channel: grpc.Channel, process: subprocess.Popen[bytes]) -> None:
    stub = CandidateGenServiceStub(channel)
    until = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < until and process.poll() is None:
        try:
            stub.GetCandidates(GetCandidatesRequest(count=1), timeout=5)
        except grpc.RpcError:
            time.sleep(0.1)
        else:
            return
    sys.exit("candidate_gen does not answer")


def _stream(channel: grpc.Channel, rows: NDArray[np.int64]) -> Any:
    def requests() -> Iterator[GetTopItemsRequest]:
        for start in range(0, len(rows), USERS_A_MESSAGE):
            users = [serving_volume.user_id(row) for row in rows[start : start + USERS_A_MESSAGE].tolist()]
            settings = TopItemsSettings(count=COUNT) if start == 0 else None
            yield GetTopItemsRequest(settings=settings, user_ids=users)

    return CampaignServiceStub(channel).GetTopItems(requests(), timeout=_LONGEST_S)


def _read_until_cancelled(stream: Any) -> None:
    try:
        for _ in stream:
            pass
    except grpc.RpcError as error:
        if error.code() is not grpc.StatusCode.CANCELLED:
            raise


if __name__ == "__main__":
    main()
