"""The only calls of FAISS that need a GPU, and a build of FAISS that has them (`requirements/gpu.txt`).

An index or vectors in main memory come in; an index in the GPU's memory goes out, which is searched as any other.
"""

from functools import cache
from typing import Any, Final

import faiss
import numpy as np
from numpy.typing import NDArray

_faiss: Any = faiss  # the build without GPUs has none of these names
_GRAPH_DEGREE: Final = 64
_FIRST_GPU: Final = 0


def is_for_gpus() -> bool:
    """Whether this build of FAISS has what a GPU needs."""
    return hasattr(_faiss, "StandardGpuResources")


def gpu_count() -> int:
    """How many GPUs FAISS can use; of a build without GPUs: none."""
    return int(_faiss.get_num_gpus()) if is_for_gpus() else 0


def copied(index: faiss.Index) -> Any:
    """A copy of a flat or IVF index in the GPU's memory. Raises: RuntimeError (no room, or not of a kind for GPUs)."""
    options = _faiss.GpuClonerOptions()
    # cuVS has no inverted lists of scalar quantizers; FAISS itself has
    options.use_cuvs = _has_cuvs() and not isinstance(index, faiss.IndexIVFScalarQuantizer)
    return _faiss.index_cpu_to_gpu(_resources(), _FIRST_GPU, index, options)


def cagra(vectors: NDArray[np.float32]) -> Any:
    """A CAGRA graph over vectors, by inner product, built on the GPU. Raises: RuntimeError (no room, no cuVS)."""
    if not _has_cuvs():
        raise RuntimeError("this build of FAISS is without cuVS: expected that of requirements/gpu.txt")
    config = _faiss.GpuIndexCagraConfig()
    config.device = _FIRST_GPU
    config.graph_degree = _GRAPH_DEGREE
    index = _faiss.GpuIndexCagra(_resources(), vectors.shape[1], faiss.METRIC_INNER_PRODUCT, config)
    index.train(vectors)
    return index


def cagra_parameters(fetch: int) -> Any:
    """How a CAGRA graph is searched for so many neighbours: it keeps a multiple of 32 in mind, twice as many."""
    return _faiss.SearchParametersCagra(itopk_size=max(64, -(-2 * fetch // 32) * 32))


def _has_cuvs() -> bool:
    return hasattr(_faiss, "GpuIndexCagra")


@cache
def _resources() -> Any:
    """Streams and scratch memory of the process, shared by its indexes."""
    return _faiss.StandardGpuResources()
