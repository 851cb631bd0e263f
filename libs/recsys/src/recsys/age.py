"""The older something is that somebody did, the less it says of them: the one formula of training and serving.

An age counts from the user's own newest event, so no clock is needed, and a list stays what it is until its owner
comes back.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from recsys.artifact.manifest import AgeInfo

_DAY_S: Final = 86_400.0
_LEAST: Final = 1e-6  # a weight stays above 0, and one over it finite


def age_factors(times_s: NDArray[np.int64], owners: NDArray[np.int64], age: AgeInfo) -> NDArray[np.float64]:
    """What to multiply the weight of each item of some histories by, above 0 up to 1: float64 [n].

    step_decay^(how many later moments the owner has) × 2^(-days before the owner's newest / half-life). Items of one
    second, a basket, are one moment.

    Args:
        times_s: int64 [n], Unix seconds of the last event with the item.
        owners: int64 [n], whose item it is.
        age: how quickly the factors fall.
    """
    if age.is_off:
        return np.ones(len(times_s))
    order = np.lexsort((-times_s, owners))
    times, owner = times_s[order], owners[order]
    places = np.arange(len(order))
    is_newest = np.ones(len(order), np.bool_)
    is_newest[1:] = owner[1:] != owner[:-1]
    newest = np.maximum.accumulate(np.where(is_newest, places, 0))
    moments = np.zeros(len(order), np.int64)
    moments[1:] = np.cumsum(times[1:] != times[:-1])
    factors = np.power(age.step_decay, moments - moments[newest])
    if age.half_life_days is not None:
        factors *= np.exp2((times - times[newest]) / (_DAY_S * age.half_life_days))
    result = np.empty(len(order))
    result[order] = np.maximum(factors, _LEAST)
    return result
