"""Latency, throughput, processor time and memory of the served system beside one process that does the same work.

    make benchmark-serving            # or: .venv/bin/python -m benchmarks.serving [--items 40000 1000000] [--seconds 5]

In one run, on the same cores: this system (real processes: gateway, candidate_gen, reranker, the embedded feature
store; REST at the front), the baseline `benchmarks.one_process_service` with one and with two workers, and an empty
endpoint. Every figure of ours stands as a ratio to the baseline too. Needs wrk (`apt-get install wrk`).
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks import load, serving_volume
from benchmarks.load import Load
from benchmarks.one_process_service import CANDIDATES, VOLUME
from recsys.rpc.channel import open_blocking_channel
from recsys.v1.candidate_gen_service_pb2 import GetCandidatesRequest
from recsys.v1.candidate_gen_service_pb2_grpc import CandidateGenServiceStub
from recsys.v1.reranker_service_pb2 import RerankRequest
from recsys.v1.reranker_service_pb2_grpc import RerankerServiceStub
from tools.local_stack import PYTHON, LocalStack, Ports

PATH: Final = "/v1/users/u%08d/recommendations?count=10"
CONNECTIONS: Final = (1, 8, 32)
_COLD_REQUESTS: Final = 50
_HOP_CALLS: Final = 1000


@dataclass(frozen=True)
class Target:
    """A system under load."""

    name: str
    url: str
    pids: Sequence[int]
    ready_s: float
    path: str = PATH


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="+", default=[40_000, 1_000_000])
    parser.add_argument("--users", type=int, help="default: as many as items")
    parser.add_argument("--seconds", type=int, default=5)
    arguments = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed: apt-get install wrk")
    ours: dict[int, float] = {}
    for n_items in arguments.items:
        n_users = arguments.users or n_items
        print(f"making {n_items:,} items, {n_users:,} users", file=sys.stderr, flush=True)
        volume = serving_volume.volume_of(n_items=n_items, n_users=n_users)
        print(f"\n## {n_items:,} items, {n_users:,} users, d={serving_volume.DIM}\n", flush=True)
        ours[n_items] = compare(volume, n_users=n_users, seconds=arguments.seconds)
    if len(ours) > 1:
        few, many = min(ours), max(ours)
        print(f"\nthroughput at {many:,} items over that at {few:,}: {ours[many] / ours[few]:.2f}")


def compare(volume: Path, *, n_users: int, seconds: int) -> float:
    """One table for one volume; returns our requests/s at the most connections."""
    results: dict[str, dict[int, Load]] = {}
    for workers in (1, 2):
        with one_process(volume, workers=workers) as target:
            results[target.name] = measure(target, n_users=n_users, seconds=seconds)
            if workers == 1:
                empty = Target("empty endpoint", target.url, target.pids, target.ready_s, path="/empty?%d")
                results[empty.name] = measure(empty, n_users=n_users, seconds=seconds, about=False)
    with this_system(volume) as (target, stack):
        results[target.name] = measure(target, n_users=n_users, seconds=seconds)
        print(hops(stack, n_users=n_users))
    print(table(results))
    return results["this system"][CONNECTIONS[-1]].per_s


def measure(target: Target, *, n_users: int, seconds: int, about: bool = True) -> dict[int, Load]:
    """The loads by connections, after a cold start's first requests."""
    if about:
        cold = [timed_get(target.url + target.path % (n * 7919 % n_users)) for n in range(_COLD_REQUESTS)]
        print(
            f"{target.name}: ready in {target.ready_s:.1f} s; first request {cold[0]:.1f} ms, "
            f"median of the first {_COLD_REQUESTS} {median(cold):.2f} ms",
            flush=True,
        )
    lua_path = target.path.replace("%%", "%")
    run = {}
    for connections in CONNECTIONS:
        load.run(target.url, lua_path, pids=target.pids, users=n_users, connections=connections, seconds=1)
        run[connections] = load.run(
            target.url, lua_path, pids=target.pids, users=n_users, connections=connections, seconds=seconds
        )
    if about:
        resident, own = load.memory_mb(target.pids)
        print(f"{target.name}: {resident:,.0f} MB resident, of which {own:,.0f} MB not mapped from files", flush=True)
    return run


def table(results: dict[str, dict[int, Load]]) -> str:
    """Markdown: every system and number of connections, with ratios to the one-worker baseline."""
    lines = [
        "\n| system | connections | p50 ms | p95 ms | p99 ms | requests/s | CPU ms/request | failed "
        "| p50 ÷ baseline | requests/s ÷ 1 worker | ÷ 2 workers |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    one, two = results["one process, 1 worker"], results["one process, 2 workers"]
    for name, runs in results.items():
        for connections, run in runs.items():
            first, second = one[connections], two[connections]
            lines.append(
                f"| {name} | {connections} | {run.p50_ms:.2f} | {run.p95_ms:.2f} | {run.p99_ms:.2f} | {run.per_s:,.0f} "
                f"| {run.cpu_ms:.2f} | {run.failed} | {run.p50_ms / first.p50_ms:.2f} | {run.per_s / first.per_s:.2f} "
                f"| {run.per_s / second.per_s:.2f} |"
            )
    return "\n".join(lines)


def hops(stack: LocalStack, *, n_users: int) -> str:
    """Where the time of one request goes: each service asked directly over gRPC, one call after the other."""
    ports = stack.ports
    with (
        open_blocking_channel(f"127.0.0.1:{ports.candidate_gen}") as first,
        open_blocking_channel(f"127.0.0.1:{ports.reranker}") as second,
    ):
        candidate_gen, reranker = CandidateGenServiceStub(first), RerankerServiceStub(second)
        found_ms, ranked_ms = [], []
        for n in range(_HOP_CALLS):
            user = serving_volume.user_id(n * 104_729 % n_users)
            started = time.perf_counter()
            found = candidate_gen.GetCandidates(
                GetCandidatesRequest(user_id=user, count=CANDIDATES, packed=True), timeout=5
            )
            between = time.perf_counter()
            reranker.Rerank(
                RerankRequest(
                    artifact_version=found.artifact_version,
                    query_vector=found.query_vector,
                    candidates=found.candidates,
                    count=10,
                ),
                timeout=5,
            )
            found_ms.append((between - started) * 1e3)
            ranked_ms.append((time.perf_counter() - between) * 1e3)
    rest = [timed_get(stack.gateway_url + PATH % (n * 104_729 % n_users)) for n in range(_HOP_CALLS)]
    return (
        f"where it goes (p50, one client): candidate_gen over gRPC {median(found_ms):.2f} ms, reranker over gRPC "
        f"{median(ranked_ms):.2f} ms, the whole over REST from Python {median(rest):.2f} ms"
    )


def timed_get(url: str) -> float:
    """Milliseconds of one request on a connection of its own."""
    started = time.perf_counter()
    with urllib.request.urlopen(url, timeout=30) as answer:
        answer.read()
    return (time.perf_counter() - started) * 1e3


@contextmanager
def one_process(volume: Path, *, workers: int) -> Iterator[Target]:
    """The baseline under uvicorn."""
    port = Ports.free().gateway
    command = [
        *(str(PYTHON), "-m", "uvicorn", "--factory", "benchmarks.one_process_service:create_app"),
        *("--port", str(port), "--workers", str(workers), "--loop", "uvloop", "--http", "httptools"),
        *("--no-access-log", "--log-level", "warning"),
    ]
    started = time.monotonic()
    with subprocess.Popen(command, env=os.environ | {VOLUME: str(volume)}) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            wait_for(f"{url}/readyz", process)
            name = f"one process, {workers} worker{'s' if workers > 1 else ''}"
            yield Target(name, url, [process.pid], time.monotonic() - started)
        finally:
            process.terminate()


@contextmanager
def this_system(volume: Path) -> Iterator[tuple[Target, LocalStack]]:
    """The real processes, with their defaults."""
    with tempfile.TemporaryDirectory() as logs:
        started = time.monotonic()
        with LocalStack(volume, ports=Ports.free(), log_dir=Path(logs)) as stack:
            serving = [process.pid for name, process in stack.processes.items() if name != "event_sink"]
            yield Target("this system", stack.gateway_url, serving, time.monotonic() - started), stack


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Until the address answers. Raises: RuntimeError when the process has ended."""
    while process.poll() is None:
        try:
            timed_get(url)
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"the baseline ended with status {process.returncode}")


if __name__ == "__main__":
    main()
