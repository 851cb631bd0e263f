"""Latency, throughput, processor time and memory of the served system, beside one process that does the same work.

    make benchmark-serving            # or: .venv/bin/python -m benchmarks.serving [--items 40000] [--seconds 5]

What is compared, on the same cores and in the same run (`serving_systems`): the baseline with one and with two workers,
our own code in one process, and this system. They are asked in turns, several times; the medians count. Two shops
(`serving_shops`), the living one first, in three sizes. Last what a learned ranker costs in the reranker
(`serving_ranker`). Needs wrk (`apt-get install wrk`).
"""

import argparse
import shutil
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from typing import Final

from benchmarks import load, serving_lists, serving_ranker, serving_shops, serving_systems, serving_volume
from benchmarks.load import Load, machine
from benchmarks.serving_shops import Shop
from benchmarks.serving_systems import HOST, Target

CONNECTIONS: Final = (1, 32)
ROUNDS: Final = 3
_WARMING_S: Final = 2
_LISTS: Final = 500

Start = Callable[[Shop], AbstractContextManager[Target]]
Runs = Mapping[tuple[str, int], Load]
"""By system and connections."""

SYSTEMS: Final[Sequence[Start]] = (
    partial(serving_systems.one_process, workers=1),
    partial(serving_systems.one_process, workers=2),
    serving_systems.our_code_in_one_process,
    serving_systems.this_system,
)
SHOPS: Final = {"living": serving_shops.living, "plain": serving_shops.plain}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="+", default=[4_000, 40_000, 1_000_000])
    parser.add_argument("--users", type=int, help="default: as many as items")
    parser.add_argument("--seconds", type=int, default=5, help="of each measurement")
    parser.add_argument("--shops", nargs="+", choices=SHOPS, default=list(SHOPS))
    arguments = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed: apt-get install wrk")
    print(f"{machine()}; the medians of {ROUNDS} rounds of {arguments.seconds} s, in which the systems take turns")
    for name in arguments.shops:
        for n_items in arguments.items:
            n_users = arguments.users or n_items
            shop = SHOPS[name](n_items=n_items, n_users=n_users)
            print(f"\n## The {name} shop, {n_items:,} items, {n_users:,} users, d={serving_volume.DIM}\n", flush=True)
            with ExitStack() as running:
                targets = [running.enter_context(start(shop)) for start in SYSTEMS]
                print(table(measure(targets, shop, seconds=arguments.seconds)), "\n")
                print("\n".join(map(needs, targets)))
                answers = serving_lists.shares(targets[-1].url, shop, lists=_LISTS)
                print(f"\nthis system's lists: {serving_lists.described(answers)}", flush=True)
    print(f"\n## A version with a learned ranker\n\n{serving_ranker.table(serving_ranker.ITEMS)}")


def measure(
    targets: Sequence[Target], shop: Shop, *, seconds: int, connections: Sequence[int] = CONNECTIONS
) -> dict[tuple[str, int], Load]:
    """All systems are asked the same in a round, one after the other, so that a slower minute is slower for all."""
    runs = defaultdict(list)
    for target in targets:
        _ask(target, shop, connections=connections[-1], seconds=_WARMING_S, seed=0)
    for turn in range(ROUNDS):
        for count in connections:
            for target in targets:
                seed = 1 + 1000 * turn + count
                found = _ask(target, shop, connections=count, seconds=seconds, seed=seed)
                runs[target.name, count].append(found)
    return {key: load.median_of(found) for key, found in runs.items()}


def table(runs: Runs) -> str:
    """Markdown: every system and number of connections, with ratios to the baseline of one and of two workers."""
    names = list(dict.fromkeys(name for name, _ in runs))
    one, two = names[:2]
    lines = [
        "| system | connections | p50 ms | p95 ms | p99 ms | p99 ÷ p50 | requests/s | CPU ms/request "
        "| context switches/request | failed | p50 ÷ 1 worker | requests/s ÷ 1 worker | ÷ 2 workers |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name in names:
        for connections in CONNECTIONS:
            run, first, second = (runs[each, connections] for each in (name, one, two))
            lines.append(
                f"| {name} | {connections} | {run.p50_ms:.2f} | {run.p95_ms:.2f} | {run.p99_ms:.2f} "
                f"| {run.p99_ms / run.p50_ms:.1f} | {run.per_s:,.0f} | {cpu(run)} | {run.switches:.1f} | {run.failed} "
                f"| {run.p50_ms / first.p50_ms:.2f} | {run.per_s / first.per_s:.2f} | {run.per_s / second.per_s:.2f} |"
            )
    return "\n".join(lines)


def cpu(run: Load) -> str:
    """Processor time a request, and of which process."""
    each = run.cpu_ms.items()
    parts = " (" + ", ".join(f"{name} {spent_ms:.2f}" for name, spent_ms in each) + ")" if len(each) > 1 else ""
    return f"{sum(run.cpu_ms.values()):.2f}{parts}"


def needs(target: Target) -> str:
    """How soon it was ready, and its memory after the load."""
    resident, own = load.memory_mb(list(target.pids.values()))
    return (
        f"- {target.name}: ready in {target.ready_s:.1f} s; {resident:,.0f} MB resident, "
        f"of which {own:,.0f} MB not mapped from files"
    )


def _ask(target: Target, shop: Shop, *, connections: int, seconds: int, seed: int) -> Load:
    addresses = [(HOST, port) for port in target.ports]
    return load.run(addresses, shop.requests, pids=target.pids, connections=connections, seconds=seconds, seed=seed)


if __name__ == "__main__":
    main()
