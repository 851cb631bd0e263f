"""What a new version costs those who ask while it goes live.

    make benchmark-hot-swap      # or: .venv/bin/python -m benchmarks.hot_swap [--items 40000 1000000] [--per-s 60]

The real processes answer a fixed load: so many requests a second over eight connections, whether or not the answers
keep up, so that a stall counts for every request that it delays. Meanwhile versions go live one after the other, each
of which both services have to load, and each second one is then rolled back. Every answer must be of one version as a
whole: prices and scores differ between neighbouring versions and are compared with the version that the answer names.
"""

import argparse
import http.client
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks import load, serving_volume
from recsys.artifact import layout, writer
from recsys.artifact.reader import Artifact, open_artifact
from tools.local_stack import LocalStack, Ports

CONNECTIONS: Final = 8
SETTLED_S: Final = 4.0  # before and after each swap, for comparison
SWAPS: Final = 6
_PATH: Final = "/v1/users/%s/recommendations?count=10"
_SCORES_DIFFER: Final = 1e-3


@dataclass(frozen=True)
class Asked:
    """One request and its answer."""

    due_s: float
    ended_s: float
    user_row: int
    status: int
    body: bytes

    @property
    def latency_ms(self) -> float:
        """From when it was due, so that requests that had to wait for others count in full."""
        return (self.ended_s - self.due_s) * 1e3

    @property
    def version(self) -> str:
        """The version that the answer names; empty where it failed."""
        return str(json.loads(self.body)["artifact_version"]) if self.status == 200 else ""


@dataclass(frozen=True)
class Swap:
    """One `activate`, and when the answers were of the new version."""

    version: str
    at_s: float
    first_s: float  # until the first answer of it
    last_s: float  # until the last answer that was not of it


@dataclass
class Requester:
    """A fixed load from threads, until it is stopped; every answer is kept."""

    port: int
    n_users: int
    per_s: float
    asked: list[Asked] = field(default_factory=list)
    _stopped: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator["Requester"]:
        """The load, for as long as the block lasts."""
        started_s = time.monotonic()
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            threads = [pool.submit(self._ask, number, started_s) for number in range(CONNECTIONS)]
            try:
                yield self
            finally:
                self._stopped.set()
            for thread in threads:
                thread.result()

    def _ask(self, number: int, started_s: float) -> None:
        rng = np.random.default_rng(number)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        for turn in count():
            due_s = started_s + (turn * CONNECTIONS + number) / self.per_s
            if self._stopped.wait(max(due_s - time.monotonic(), 0)):
                break
            user_row = int(rng.integers(self.n_users))
            try:
                connection.request("GET", _PATH % serving_volume.user_id(user_row))
                response = connection.getresponse()
                status, body = response.status, response.read()
            except OSError as error:
                status, body = 0, str(error).encode()
                connection.close()
            self.asked.append(Asked(due_s, time.monotonic(), user_row, status, body))
        connection.close()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="+", default=[40_000, 1_000_000])
    parser.add_argument("--per-s", type=float, default=60.0)
    arguments = parser.parse_args()
    rows = [row for n_items in arguments.items for row in benchmark(n_items, per_s=arguments.per_s)]
    print(
        "\n| items | swap | requests | failed | mixed | p50 ms before, during, after | p99 ms before, during, after "
        "| p99 during ÷ before | first answer s | last old answer s |\n|---|---|---|---|---|---|---|---|---|---|"
    )
    print("\n".join(rows))


def benchmark(n_items: int, *, per_s: float) -> list[str]:
    """Rows of the table for one size."""
    with prepared(n_items) as (volume, versions), tempfile.TemporaryDirectory() as logs:
        artifacts = {version: open_artifact(layout.version_dir(volume, version)) for version in versions}
        started_s = time.monotonic()
        # as in the containers, whose bytecode is compiled; here it is by the first start, if it was not yet
        compiled = {"PYTHONDONTWRITEBYTECODE": ""}
        with LocalStack(volume, ports=Ports.free(), log_dir=Path(logs), environment=compiled) as stack:
            print(f"{n_items:,} items: ready in {time.monotonic() - started_s:.1f} s; {memory(stack)}", flush=True)
            requester = Requester(stack.ports.gateway, n_items, per_s)
            with requester.running():
                time.sleep(SETTLED_S)
                new = [swapped(volume, version, requester) for version in versions[1:]]
                back = [swapped(volume, version, requester) for version in (versions[-2], versions[-1]) * 2]
            print(f"{n_items:,} items: after {len(new) + len(back)} swaps {memory(stack)}", flush=True)
            print(loads(Path(logs)), flush=True)
    mixed = sum(is_mixed(one, artifacts) for one in requester.asked if one.status == 200)
    return [
        row(f"{n_items:,} | {name}", swaps, requester.asked, mixed=mixed)
        for name, swaps in (("new version", new), ("rollback", back))
    ]


@contextmanager
def prepared(n_items: int) -> Iterator[tuple[Path, list[str]]]:
    """A volume of hard links with versions of two kinds in turn, of which the first is live."""
    bench = serving_volume.volume_of(n_items=n_items, n_users=n_items)
    first = layout.current_version(bench)
    assert first is not None
    kinds = [first, serving_volume.add_version(bench, n_items=n_items, n_users=n_items, seed=1)]
    with tempfile.TemporaryDirectory(dir=bench.parent) as folder:
        volume = Path(folder)
        versions = [linked(bench, kinds[number % 2], volume, f"v{number}") for number in range(SWAPS + 1)]
        writer.activate(volume, versions[0])
        yield volume, versions


def linked(bench: Path, version: str, volume: Path, name: str) -> str:
    """A version under another name whose files are those of the original."""
    original, copy = layout.version_dir(bench, version), layout.version_dir(volume, name)
    shutil.copytree(original, copy, copy_function=os.link)
    manifest = json.loads((original / layout.MANIFEST).read_text()) | {"version": name}
    (copy / layout.MANIFEST).unlink()
    (copy / layout.MANIFEST).write_text(json.dumps(manifest))
    return name


def swapped(volume: Path, version: str, requester: Requester) -> Swap:
    """Make a version live, and wait until all answers are of it, and a while longer."""
    seen, at_s = len(requester.asked), time.monotonic()
    writer.activate(volume, version)
    quiet_s = SETTLED_S
    while True:
        time.sleep(quiet_s)
        since = [one for one in requester.asked[seen:] if one.due_s > at_s and one.status == 200]
        of_it = [one.ended_s for one in since if one.version == version]
        others = [one.ended_s for one in since if one.version != version]
        if of_it and time.monotonic() - max(others, default=at_s) >= SETTLED_S:
            return Swap(version, at_s, min(of_it) - at_s, max(others, default=at_s) - at_s)
        quiet_s = 0.5


def row(name: str, swaps: Sequence[Swap], asked: Sequence[Asked], *, mixed: int) -> str:
    """One row of the table: latencies of all swaps of one kind together."""
    before, during, after = (np.concatenate(parts) for parts in zip(*(around(s, asked) for s in swaps), strict=True))
    window = [
        one
        for swap in swaps
        for one in asked
        if swap.at_s - SETTLED_S <= one.due_s < swap.at_s + swap.last_s + SETTLED_S
    ]
    parts = (before, during, after)
    p50, p99 = ([float(np.percentile(part, q)) for part in parts] for q in (50, 99))
    failed = sum(one.status != 200 for one in window)
    first, last = (max(getattr(swap, which) for swap in swaps) for which in ("first_s", "last_s"))
    return (
        f"| {name} | {len(window):,} | {failed} | {mixed} | {' · '.join(f'{ms:.1f}' for ms in p50)} "
        f"| {' · '.join(f'{ms:.1f}' for ms in p99)} | {p99[1] / p99[0]:.2f} | {first:.1f} | {last:.1f} |"
    )


def around(swap: Swap, asked: Sequence[Asked]) -> list[list[float]]:
    """Latencies before, during and after a swap; it lasts until the last answer of the version before."""
    end_s = swap.at_s + swap.last_s
    bounds = [(swap.at_s - SETTLED_S, swap.at_s), (swap.at_s, end_s), (end_s, end_s + SETTLED_S)]
    return [[one.latency_ms for one in asked if start <= one.due_s < end] for start, end in bounds]


def is_mixed(one: Asked, artifacts: dict[str, Artifact]) -> bool:
    """Whether an item's price or score is not what the version says that the answer names."""
    answer = json.loads(one.body)
    artifact = artifacts[answer["artifact_version"]]
    user = artifact.user_embeddings[one.user_row]
    for item in answer["items"]:
        item_row = artifact.items.row_of(item["item_id"])
        assert item_row is not None
        score = float(user @ artifact.item_embeddings[item_row])
        if item["price"] != artifact.catalogue.item(item_row).price or abs(item["score"] - score) > _SCORES_DIFFER:
            return True
    return False


def memory(stack: LocalStack) -> str:
    """Resident memory of the services."""
    found = {name: load.memory_mb([stack.processes[name].pid]) for name in ("candidate_gen", "reranker")}
    return ", ".join(f"{name} {all_:,.0f} MB resident, {own:,.0f} its own" for name, (all_, own) in found.items())


def loads(logs: Path) -> str:
    """What the services say of their loads."""
    lines = [
        (name, json.loads(line))
        for name in ("candidate_gen", "reranker")
        for line in (logs / f"{name}.log").read_text().splitlines()
    ]
    steps = [(name, line) for name, line in lines if line["message"] == "artifact version ready"]
    return "\n".join(
        f"  {name} {line['artifact_version']}: open {line['open_s']} s, build {line['build_s']}, warm {line['warm_s']}"
        for name, line in steps
    )


if __name__ == "__main__":
    main()
