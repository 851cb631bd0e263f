"""One score out of four values: how well an item fits, how popular it is, how new, and how much a history leads to it.

Arrays over the candidates of one answer come in, one weight for each value; scores go out. The trainer finds the
weights on held-out data with the very function that the reranker ranks with. Every function works along the last
axis, so a matrix holds the candidates of many users.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

_DAY_S: Final = 86_400.0
_LEAST_SPAN: Final = np.finfo(np.float64).tiny  # by which 0 is divided where all values are equal


@dataclass(frozen=True, slots=True)
class BlendWeights:
    """What each value counts for: finite, 0 or more, one of them above 0."""

    personal: float = 1.0
    popularity: float = 0.0
    recency: float = 0.0
    transitions: float = 0.0

    @property
    def is_personal_only(self) -> bool:
        """Whether nothing but the personal score counts."""
        return self.popularity == 0 and self.recency == 0 and self.transitions == 0


def blend(
    *,
    personal: NDArray[np.floating],
    popularity: NDArray[np.floating],
    recency: NDArray[np.floating],
    transitions: NDArray[np.floating],
    weights: BlendWeights,
    over: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """Σ weight × value, each value scaled to 0…1 over the candidates: float64, of the shape that came in.

    `over`, bool [n], are the candidates of one answer that the scale is of (`scaled`).

    `popularity` is what `log_popularity` gives, `recency` what `decayed_recency` gives, `transitions` how much the
    history's items lead to an item, 0 where nothing does. Where nothing but the personal
    score counts there is nothing to blend: it keeps its own scale, so no two of them become one by rounding.
    """
    if weights.is_personal_only:
        return np.asarray(personal, np.float64) * weights.personal
    scores = np.zeros(np.shape(personal))
    for weight, values in (
        (weights.personal, personal),
        (weights.popularity, popularity),
        (weights.recency, recency),
        (weights.transitions, transitions),
    ):
        if weight > 0:
            scores += weight * scaled(values, over)
    return scores


def scaled(values: NDArray[np.floating], over: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
    """Minimum → 0, maximum → 1, linear in between; all 0 where all are equal: float64.

    Minimum and maximum are of all values; or, of one answer's values [n], of those that `over` names, where there are
    any: the others are 0 below and 1 above them.
    """
    wide = np.asarray(values, np.float64)
    among = wide if over is None else wide[over]
    if among.shape[-1] == 0:
        among = wide
    if among.shape[-1] == 0:
        return wide
    lowest = np.minimum.reduce(among, axis=-1, keepdims=True)
    span = np.maximum.reduce(among, axis=-1, keepdims=True) - lowest
    fractions: NDArray[np.float64] = wide - lowest
    fractions /= np.maximum(span, _LEAST_SPAN)
    return fractions if among is wide else np.clip(fractions, 0.0, 1.0)


def log_popularity(users: NDArray[np.floating]) -> NDArray[np.float64]:
    """log(1 + users): the tenth user says more than the thousandth."""
    return np.log1p(np.asarray(users, np.float64))


def decayed_recency(first_seen_s: NDArray[np.integer], *, half_life_days: float) -> NDArray[np.float64]:
    """2^(-age / half-life), 0 where never seen: float64. `first_seen_s` is in Unix seconds, 0: never.

    The age is counted from the newest of the candidates. Any other moment would multiply all values by one factor,
    which the scaling takes out again; this one needs no clock, and no half-life makes everything 0.
    """
    seen = np.asarray(first_seen_s, np.float64)
    if seen.shape[-1] == 0:
        return seen
    age_days = (seen.max(axis=-1, keepdims=True) - seen) / _DAY_S
    return np.where(seen > 0, np.exp2(-age_days / half_life_days), 0.0)
