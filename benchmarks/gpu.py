"""Indexes on a GPU beside those in main memory: recall, latency and queries a second, all in one run.

    make benchmark-gpu                                                    # a million items
    .venv/bin/python -m benchmarks.gpu --items 1000000 10000000 50000000  # with requirements/gpu.txt, on a GPU

Exact, IVF and CAGRA as candidate_gen searches them (`candidate_gen.search.cuda`), and IVF in main memory with as many
threads as FAISS takes. Recall is of the exact first 100. Where there is no GPU the run says so, and measures main
memory alone.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks import serving_volume
from candidate_gen.search import cuda
from trainer.publishing import index as indexes
from trainer.publishing.index import IndexSpec

FETCH = 200
RECALL_AT = 100
BATCHES = (1, 8, 64)
QUERIES = 1_024
TIMED_S = 1.0
NPROBE = 64

Search = Callable[[NDArray[np.float32], int], tuple[NDArray[np.float32], NDArray[np.int64]]]


def main() -> None:
    """Print a table for each number of items."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="+", default=[1_000_000])
    arguments = parser.parse_args()
    gpus = cuda.gpu_count()
    if gpus == 0:
        print("NO GPU HERE: FAISS sees none, so nothing below was searched on one. See requirements/gpu.txt.\n")
    for n_items in arguments.items:
        _compare(n_items, on_gpu=gpus > 0)


def _compare(n_items: int, *, on_gpu: bool) -> None:
    rng = np.random.default_rng(0)
    items, queries = serving_volume.vectors(rng, n_items=n_items, n_users=QUERIES)
    flat = faiss.IndexFlatIP(items.shape[1])
    flat.add(items)
    exact = flat.search(queries, RECALL_AT)[1]
    lists = indexes.inverted_lists(n_items)
    inverted: Any = indexes.build(items, IndexSpec(f"IVF{lists},SQ8", "inner_product", NPROBE), seed=0)
    print(f"{n_items:,} items, d={items.shape[1]}, {FETCH} neighbours\n")
    print("| | recall@100 | ms, 1 query | 8 | 64 | queries/s |\n|---|---|---|---|---|---|", flush=True)
    _line("main memory: exact", flat.search, queries, exact)
    _line(f"main memory: IVF{lists},SQ8, {NPROBE} lists", inverted.search, queries, exact)
    if on_gpu:
        _line("GPU: exact", cuda.copied(flat).search, queries, exact)
        copied = cuda.copied(inverted)
        copied.nprobe = NPROBE
        _line(f"GPU: IVF{lists},SQ8, {NPROBE} lists", copied.search, queries, exact)
        graph, parameters = cuda.cagra(items), cuda.cagra_parameters(FETCH)
        _line("GPU: CAGRA", lambda asked, fetch: graph.search(asked, fetch, params=parameters), queries, exact)
    print()


def _line(name: str, search: Search, queries: NDArray[np.float32], exact: NDArray[np.int64]) -> None:
    found = search(queries, FETCH)[1]
    recall = np.mean([len(np.intersect1d(*pair)) for pair in zip(found, exact, strict=True)]) / RECALL_AT
    times = [_ms(search, queries, batch=batch) for batch in BATCHES]
    most = max(batch / ms * 1000 for batch, ms in zip(BATCHES, times, strict=True))
    print(f"| {name} | {recall:.3f} | {' | '.join(f'{ms:.2f}' for ms in times)} | {most:,.0f} |", flush=True)


def _ms(search: Search, queries: NDArray[np.float32], *, batch: int) -> float:
    """Median time of a search for so many queries at once."""
    taken: list[float] = []
    begun = time.perf_counter()
    while time.perf_counter() - begun < TIMED_S:
        start = len(taken) * batch % (QUERIES - batch + 1)
        asked = time.perf_counter()
        search(queries[start : start + batch], FETCH)
        taken.append((time.perf_counter() - asked) * 1000)
    return float(np.median(taken))


if __name__ == "__main__":
    main()
