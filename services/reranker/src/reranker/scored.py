"""The hand-off between the stages that score and those that arrange: every candidate's score, and how it came about."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reranker.blending import Blended
from reranker.candidates import Candidates
from reranker.rules import Boosts
from reranker.scoring import Fit


@dataclass(frozen=True)
class Scored:
    """Candidates by index, and their order."""

    candidates: Candidates
    fit: Fit
    blended: Blended
    boosts: Boosts
    scores: NDArray[np.float64]  # [n] blended × boosts
    order: list[int]  # the best first
