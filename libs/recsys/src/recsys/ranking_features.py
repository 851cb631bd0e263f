"""What a learned ranker knows of the candidates of one answer: their values in, a row of features for each out.

The trainer learns from the very function that the reranker ranks with. Scores of a model change their scale from one
training to the next, so they enter by their place between the answer's lowest and highest, and by their rank.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from recsys.blend import scaled

ITEM_FEATURES: Final = (
    "users_ever",
    "users_90_days",
    "users_30_days",
    "users_7_days",
    "change_30_to_90_days",
    "change_7_to_30_days",
    "age_days",
    "days_since_last_event",
)
"""Of an item, whoever asks: counted by the trainer, kept in the version."""

FEATURES: Final = (
    "blend",
    "blend_rank",
    "personal",
    "personal_rank",
    "transitions",
    "transitions_rank",
    "transitions_count",  # of candidates that the history leads to: the same for all of an answer
    *(f"item_{name}" for name in ITEM_FEATURES),
)


def features(
    *,
    blended: NDArray[np.floating],
    personal: NDArray[np.floating],
    transitions: NDArray[np.floating],
    items: NDArray[np.float32],
) -> NDArray[np.float32]:
    """float32 [n, len(FEATURES)].

    Args:
        blended: [n] score of the blend.
        personal: [n] how well each fits.
        transitions: [n] how much the history leads to each; 0 where nothing does.
        items: [n, len(ITEM_FEATURES)].
    """
    found = np.empty((len(items), len(FEATURES)), np.float32)
    for column, values in ((0, blended), (2, personal), (4, transitions)):
        found[:, column] = scaled(values)
        found[:, column + 1] = _ranks(values)
    found[:, 6] = np.count_nonzero(transitions)
    found[:, 7:] = items
    return found


def _ranks(values: NDArray[np.floating]) -> NDArray[np.int64]:
    """How many of the others are higher: [n]."""
    return len(values) - np.searchsorted(np.sort(values), values, side="right")
