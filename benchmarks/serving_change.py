"""What one change of an item costs the request that comes next, when 100,000 items have been changed already.

    make benchmark-serving-change     # or: .venv/bin/python -m benchmarks.serving_change [--items 1000000]

candidate_gen in process: an item's change is taken in by the thread that follows the store, and then somebody asks.
Beside it, in turns, somebody asks with no change before. With a filter too, since what it lets through is kept.
Processor time, so that it does not count what else the machine does.
"""

import argparse
import random
import time
from collections import defaultdict
from collections.abc import Iterator
from statistics import median
from typing import Final, cast

import faiss

from benchmarks import serving_volume
from benchmarks.load import machine
from benchmarks.one_process_service import CANDIDATES
from benchmarks.our_code_in_one_process import NO_CONTEXT
from candidate_gen.retriever import Retriever
from candidate_gen.servicer import CandidateGenServicer
from candidate_gen.sources import SourceCounts
from recsys.artifact.watcher import Watcher
from recsys.feature_store.follower import LiveState
from recsys.shop.item import ItemRecord
from recsys.v1.candidate_gen_service_pb2 import GetCandidatesRequest
from recsys.v1.item_pb2 import Filter

CHANGED: Final = 100_000
_TURNS: Final = 300
_WARMING: Final = 30


class _Held:
    """A watcher of one model."""

    def __init__(self, model: Retriever) -> None:
        self._model = model

    def get(self, _: str) -> Retriever:
        return self._model


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=1_000_000)
    n_items = parser.parse_args().items
    volume = serving_volume.volume_of(n_items=n_items, n_users=n_items)
    faiss.omp_set_num_threads(1)
    live = LiveState()
    retriever = Retriever(serving_volume.live_artifact(volume), live=live, counts=SourceCounts())
    servicer = CandidateGenServicer(cast(Watcher[Retriever], _Held(retriever)), max_count=CANDIDATES)
    rng = random.Random(0)
    changed = rng.sample(range(n_items), min(CHANGED, n_items // 10))
    live.change_items({each.item_id: each for each in map(record, changed)})
    print(f"{machine()}; {n_items:,} items, {len(changed):,} of them changed\n")
    print("| candidate_gen in process | p50 ms | p99 ms | p50 ÷ with no change before |\n|---|---|---|---|")
    for what, spent_ms, beside_ms in measure(servicer, live, rng, changed=changed, n_users=n_items):
        ordered = sorted(spent_ms)
        middle = median(ordered)
        print(f"| {what} | {middle:.2f} | {ordered[len(ordered) * 99 // 100]:.2f} | {middle / median(beside_ms):.2f} |")


def measure(
    servicer: CandidateGenServicer, live: LiveState, rng: random.Random, *, changed: list[int], n_users: int
) -> Iterator[tuple[str, list[float], list[float]]]:
    """Milliseconds of processor time of each kind, and of what it is compared with."""

    def ask(only: Filter | None) -> float:
        user_id = serving_volume.user_id(rng.randrange(n_users))
        request = GetCandidatesRequest(user_id=user_id, count=CANDIDATES, filter=only)
        started = time.thread_time()
        servicer.GetCandidates(request, NO_CONTEXT)
        return (time.thread_time() - started) * 1e3

    def change() -> float:
        one = record(rng.choice(changed))
        started = time.thread_time()
        live.change_items({one.item_id: one})
        return (time.thread_time() - started) * 1e3

    spent: dict[str, list[float]] = defaultdict(list)
    for turn in range(_WARMING + _TURNS):
        if turn == _WARMING:
            spent.clear()
        for only, name in ((None, "a request"), (Filter(categories=[serving_volume.category(7)]), "one with a filter")):
            ask(only)  # what the turn before has changed is no matter of this one
            spent[name].append(ask(only))
            spent["the change itself, in the thread that follows"].append(change())
            spent[f"{name}, after a change"].append(ask(only))
    for name, beside in (
        ("a request", "a request"),
        ("a request, after a change", "a request"),
        ("one with a filter", "one with a filter"),
        ("one with a filter, after a change", "one with a filter"),
        ("the change itself, in the thread that follows", "a request"),
    ):
        yield name, spent[name], spent[beside]


def record(row: int) -> ItemRecord:
    """A price that the shop changed just now."""
    return ItemRecord(
        item_id=serving_volume.item_id(row),
        sequence=time.monotonic_ns(),
        is_whole=False,
        is_deleted=False,
        fields={"price": time.monotonic() % 100},
        created_ms=0,
        updated_ms=0,
    )


if __name__ == "__main__":
    main()
