"""How many threads a process computes with, and how they wait: read by libraries when they are loaded."""

import os
import subprocess

import pytest

from tools.local_stack import PYTHON

_BLAS_THREADS = """
import importlib, sys
from threadpoolctl import threadpool_info
importlib.import_module(sys.argv[1])
print(*(pool["num_threads"] for pool in threadpool_info() if pool.get("threading_layer") == "pthreads"))
"""


def run(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own that is told nothing about threads, but for `environment`."""
    told = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "OPENBLAS_"))}
    return subprocess.run(
        [PYTHON, "-c", code, *arguments], env=told | environment, capture_output=True, text=True, check=True
    )


@pytest.mark.parametrize("service", ["candidate_gen", "reranker"])
def test_a_request_is_computed_by_one_thread(service: str) -> None:
    """NumPy's BLAS with two threads takes a hundred times as long for a fold-in on a busy machine; FAISS is told."""
    threads = run(_BLAS_THREADS, f"{service}.app").stdout.split()
    assert threads
    assert set(threads) == {"1"}


def test_threads_of_a_training_sleep_while_they_wait() -> None:
    """OpenMP says what it goes by when it is loaded."""
    told = run("import trainer.choosing.recipe", OMP_DISPLAY_ENV="true").stderr
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in told
    assert "'ACTIVE'" not in told
