"""The log of what was shown in, what another order of the lists would have brought out, as far as chance tells.

A place of a list earned what its item earned there, whatever stood at the others (the item-position model of Li et al.
2018, "Offline evaluation of ranking policies with click models"). With w = 1 / propensity where the order has the very
item that was shown at the place, else 0, and r what the place earned, an order is worth a list:

    IPS    mean over lists of Σ w r: no place counts of which the log never could have shown what the order has
    SNIPS  Σ over places of Σ w r / Σ w (Swaminathan & Joachims 2015)
    DR     mean over lists of Σ q(item of the order) + Σ w (r − q(item shown)) (Dudík et al. 2014)

q is the place's mean, times by how much more the item earned than the places where it stood do. It is fitted on the
other half of the people, so that nobody's clicks explain themselves.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trainer.evaluation import bootstrap
from trainer.evaluation.bootstrap import Interval

MOST_WEIGHT: Final = 100.0
"""Larger weights are cut to it: one click of a very improbable item would else outweigh all others."""
ENOUGH_PLACES: Final = 30
"""With fewer, in effect, that the log and an order have in common, chance tells nothing of it."""
_PRIOR: Final = 1.0  # of q: so much is added to what an item earned, and to what its places do
_ROUNDS: Final = 50  # of fitting places and items in turns


@dataclass(frozen=True, eq=False)
class Log:
    """Lists that were shown, place by place."""

    people: NDArray[np.int64]  # [n_lists] whose list it was, numbered from 0
    lists: NDArray[np.int64]  # [n] which list a place is of
    places: NDArray[np.int64]  # [n] from 0
    items: NDArray[np.int64]  # [n] numbered from 0, as an order's are
    propensities: NDArray[np.float64]  # [n] of the item at its place
    earned: NDArray[np.float64]  # [n] 0 or 1

    @property
    def explored_lists(self) -> int:
        """Lists of which chance could have changed a place."""
        return len(np.unique(self.lists[self.propensities < 1]))


@dataclass(frozen=True)
class Estimate:
    """What an order earns a list."""

    ips: Interval
    snips: Interval
    dr: Interval
    supported: float  # share of the places at which the log has the order's item
    effective_places: float  # (Σ w)² / Σ w²
    is_enough: bool  # whether these are more than a handful
    clipped: int  # weights that were cut


def served(log: Log, *, seed: int) -> Interval:
    """What the lists earned as they were shown, a list."""
    sums = _by_person(log, log.earned[:, None])
    return bootstrap.of_sums(np.column_stack([_lists_of(log), sums]), lambda sums: sums[:, 1] / sums[:, 0], seed=seed)


def estimate(log: Log, order: NDArray[np.int32], *, seed: int) -> Estimate:
    """What the lists would have earned in another order.

    Args:
        log: whose items and those of the order are numbered alike.
        order: int32 [n_lists, any], the items as they would stand, -1 where there is none. It must not have been made
            of what the log earned. Places that the list shown did not have do not count.
        seed: of the halves of the people, and of the draws.
    """
    n_places = int(log.places.max(initial=-1)) + 1
    ordered = np.full((len(log.people), n_places), -1, np.int64)
    ordered[:, : order.shape[1]] = order[:, :n_places]
    would_stand = ordered[log.lists, log.places]
    is_same = would_stand == log.items
    raw = is_same / log.propensities
    weights = np.minimum(raw, MOST_WEIGHT)
    of_shown, of_order = _expected(log, would_stand, seed=seed)
    doubly = of_order + weights * (log.earned - of_shown)
    by_place = log.places[:, None] == np.arange(n_places)
    parts = (weights * log.earned)[:, None] * by_place, weights[:, None] * by_place, by_place, doubly
    sums = np.column_stack([_lists_of(log), _by_person(log, np.column_stack(parts))])
    earned, held, stood = (slice(1 + part * n_places, 1 + (part + 1) * n_places) for part in range(3))

    def self_normalised(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        rates = np.divide(sums[:, earned], sums[:, held], out=np.zeros_like(sums[:, held]), where=sums[:, held] > 0)
        return np.asarray((rates * sums[:, stood]).sum(axis=1) / sums[:, 0])

    squares = float(weights @ weights)
    effective = float(weights.sum()) ** 2 / squares if squares else 0.0
    return Estimate(
        ips=bootstrap.of_sums(sums, lambda sums: sums[:, earned].sum(axis=1) / sums[:, 0], seed=seed),
        snips=bootstrap.of_sums(sums, self_normalised, seed=seed),
        dr=bootstrap.of_sums(sums, lambda sums: sums[:, -1] / sums[:, 0], seed=seed),
        supported=float(is_same.mean()),
        effective_places=effective,
        is_enough=effective >= ENOUGH_PLACES,
        clipped=int(np.count_nonzero(raw > MOST_WEIGHT)),
    )


def looked_at(log: Log) -> NDArray[np.float64]:
    """How often each place is looked at, the first place's times 1, as far as what it earned tells: float64 [n_places].

    A place earns what it is looked at times what its item is worth wherever it stands, and items that stood at several
    places tell the two apart (the position-based model of Craswell et al. 2008, fitted in turns). What an item is worth
    to one user and not to another stays with the place where those users saw it.
    """
    n_places, n_items = int(log.places.max(initial=-1)) + 1, int(log.items.max(initial=-1)) + 1
    rates, factors = _rates_and_factors(log, np.ones(len(log.places), np.bool_), n_items)
    earned = np.bincount(log.places, weights=log.earned, minlength=n_places)
    of_items = np.bincount(log.items, weights=log.earned, minlength=n_items) + _PRIOR
    for _ in range(_ROUNDS):
        rates = earned / np.maximum(np.bincount(log.places, weights=factors[log.items], minlength=n_places), _PRIOR)
        factors = of_items / (np.bincount(log.items, weights=rates[log.places], minlength=n_items) + _PRIOR)
    return rates / rates[0] if len(rates) and rates[0] > 0 else np.ones(n_places)


def weights_of_places(log: Log) -> NDArray[np.float64]:
    """How many times more what a place earned counts, so that it does as if every place were looked at: float64 [n]."""
    return np.asarray((1 / np.maximum(looked_at(log), 1 / MOST_WEIGHT))[log.places])


def _expected(
    log: Log, would_stand: NDArray[np.int64], *, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """q of the item shown, and of the item that would stand there (0 where none would): float64 [n] each."""
    half = np.random.default_rng(seed).permutation(log.people.max(initial=-1) + 1) % 2
    half_of = half[log.people[log.lists]]
    of_shown, of_order = np.zeros(len(log.lists)), np.zeros(len(log.lists))
    n_items = int(max(log.items.max(initial=-1), would_stand.max(initial=-1))) + 1
    for mine in (0, 1):
        rates, factors = _rates_and_factors(log, half_of != mine, n_items)
        asked = half_of == mine
        of_place = rates[log.places[asked]]
        of_shown[asked] = np.minimum(1, of_place * factors[log.items[asked]])
        of_order[asked] = np.where(would_stand[asked] >= 0, np.minimum(1, of_place * factors[would_stand[asked]]), 0)
    return of_shown, of_order


def _rates_and_factors(
    log: Log, is_in: NDArray[np.bool_], n_items: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What each place earns, and how many times more each item does: float64 [n_places], [n_items]."""
    places, items, earned = log.places[is_in], log.items[is_in], log.earned[is_in]
    n_places = int(log.places.max(initial=-1)) + 1
    stood = np.bincount(places, minlength=n_places)
    rates = np.bincount(places, weights=earned, minlength=n_places) / np.maximum(stood, 1)
    of_items = np.bincount(items, weights=earned, minlength=n_items) + _PRIOR
    of_their_places = np.bincount(items, weights=rates[places], minlength=n_items) + _PRIOR
    return rates, of_items / of_their_places


def _lists_of(log: Log) -> NDArray[np.int64]:
    """How many lists each person was shown: [n_people]."""
    return np.bincount(log.people)


def _by_person(log: Log, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of values of places, [n, any], over each person's: [n_people, any]."""
    sums = np.zeros((int(log.people.max(initial=-1)) + 1, values.shape[1]))
    np.add.at(sums, log.people[log.lists], values)
    return sums
