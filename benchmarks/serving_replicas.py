"""What several processes cost: a request's processor time with one or two gateways and one or two of each service.

    make benchmark-serving-replicas   # or: .venv/bin/python -m benchmarks.serving_replicas [--items 40000]

More processes than cores answer no more requests: here it is asked whether a request costs more among them. The
living shop, the systems in turns; with two gateways half of the connections go to each. Needs wrk.
"""

import argparse
from contextlib import ExitStack
from typing import Final

from benchmarks import serving_shops, serving_systems
from benchmarks.load import machine
from benchmarks.serving import ROUNDS, Runs, cpu, measure

_CONNECTIONS: Final = 32
_SIZES: Final = ((1, 1), (2, 1), (1, 2), (2, 2))  # gateways, and of each service


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=40_000)
    parser.add_argument("--users", type=int, help="default: as many as items")
    parser.add_argument("--seconds", type=int, default=5, help="of each measurement")
    arguments = parser.parse_args()
    shop = serving_shops.living(n_items=arguments.items, n_users=arguments.users or arguments.items)
    print(f"{machine()}; {arguments.items:,} items; {_CONNECTIONS} connections")
    print(f"the medians of {ROUNDS} rounds of {arguments.seconds} s, in which the systems take turns\n")
    with ExitStack() as running:
        targets = [
            running.enter_context(serving_systems.this_system(shop, gateways=gateways, services=services))
            for gateways, services in _SIZES
        ]
        print(table(measure(targets, shop, seconds=arguments.seconds, connections=(_CONNECTIONS,))))


def table(runs: Runs) -> str:
    """Markdown: the first system is what the others are compared with."""
    lines = [
        "| system | p50 ms | p99 ms | requests/s | CPU ms/request | ÷ one of each | context switches/request "
        "| failed |",
        "|---|---|---|---|---|---|---|---|",
    ]
    alone = sum(next(iter(runs.values())).cpu_ms.values())
    for (name, _), run in runs.items():
        ratio = sum(run.cpu_ms.values()) / alone
        lines.append(
            f"| {name} | {run.p50_ms:.2f} | {run.p99_ms:.2f} | {run.per_s:,.0f} | {cpu(run)} | {ratio:.2f} "
            f"| {run.switches:.1f} | {run.failed} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
