"""What a shop needs to be served: processor cores by requests/s, and memory of each process, by users × items.

    make benchmark-capacity           # or: .venv/bin/python -m benchmarks.capacity [--sizes 10000x4000] [--seconds 5]

One gateway, candidate_gen and reranker serve the living shop (`serving_shops`) of each size, and are asked for ten
items over eight connections. Processor time a request × requests/s ÷ `UTILISATION` is how many cores such a load takes.
Memory is read after the load: of each process what is resident, and what of it is its own; the rest is mapped from the
version's files, so that all processes of one machine have it once. Needs wrk (`apt-get install wrk`).
"""

import argparse
import shutil
import sys
from pathlib import Path
from typing import Final

from benchmarks import load, serving, serving_shops, serving_systems, serving_volume
from benchmarks.load import Load
from benchmarks.serving_systems import Target
from recsys.artifact import layout

SIZES: Final = ("10000x4000", "100000x40000", "1000000x100000")
UTILISATION: Final = 0.6
"""Share of a core that may be busy: beyond it requests wait for each other."""

_LOADS: Final = (10, 100, 1_000)  # requests/s
_CONNECTIONS: Final = 8
_PROCESSES: Final = ("gateway", "candidate_gen", "reranker")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=SIZES, metavar="USERSxITEMS")
    parser.add_argument("--seconds", type=int, default=5, help=f"of each of {serving.ROUNDS} measurements of a size")
    arguments = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed: apt-get install wrk")
    print(
        f"{load.machine()}; d={serving_volume.DIM}; the medians of {serving.ROUNDS} × {arguments.seconds} s over "
        f"{_CONNECTIONS} connections\n\n{header()}",
        flush=True,
    )
    for size in arguments.sizes:
        n_users, n_items = map(int, size.split("x"))
        shop = serving_shops.living(n_items=n_items, n_users=n_users)
        with serving_systems.this_system(shop) as target:
            runs = serving.measure([target], shop, seconds=arguments.seconds, connections=[_CONNECTIONS])
            found = runs[target.name, _CONNECTIONS]
            if found.failed:
                sys.exit(f"{size}: {found.failed} requests failed, so no figure of it says what a shop needs")
            print(row(n_users, n_items, target, found, shop.volume), flush=True)


def header() -> str:
    """The head of the table, as Markdown."""
    columns = (
        "users × items",
        f"CPU ms a request ({', '.join(_PROCESSES)})",
        *(f"cores for {per_s:,}/s" for per_s in _LOADS),
        *(f"{name}, MB (its own)" for name in _PROCESSES),
        "the three on one machine, MB",
        "version on disk, MB",
    )
    return f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}"


def row(n_users: int, n_items: int, target: Target, found: Load, volume: Path) -> str:
    """What one size needs, as Markdown."""
    total_ms = sum(found.cpu_ms.values())
    memory = (load.memory_mb([target.pids[name]]) for name in _PROCESSES)
    cells = (
        f"{n_users:,} × {n_items:,}",
        f"{total_ms:.1f} ({', '.join(f'{found.cpu_ms[name]:.1f}' for name in _PROCESSES)})",
        *(f"{cores(total_ms, per_s):.1f}" for per_s in _LOADS),
        *(f"{resident:,.0f} ({own:,.0f})" for resident, own in memory),
        f"{load.memory_together_mb(list(target.pids.values())):,.0f}",
        f"{_size_mb(volume):,.0f}",
    )
    return f"| {' | '.join(cells)} |"


def cores(cpu_ms: float, per_s: float) -> float:
    """How many cores a load takes whose requests take so much processor time each."""
    return cpu_ms / 1e3 * per_s / UTILISATION


def _size_mb(volume: Path) -> float:
    live = layout.current_version(volume)
    if live is None:
        raise RuntimeError(f"{volume}: expected a live version, found none")
    return sum(path.stat().st_size for path in layout.version_dir(volume, live).iterdir()) / 2**20


if __name__ == "__main__":
    main()
