"""Boosted regression trees as plain arrays: scores of many rows at once, and what each feature adds to a row's score.

All trees are walked at once, without a branch (QuickScorer, Lucchese et al. 2015): the leaves of a tree are numbered
from left to right, a split that sends a row to the right rules out the leaves on its left, and the first leaf that is
left is the row's. What is ruled out by a feature depends on the place of its value among the feature's thresholds
alone, so it is looked up: one look-up a feature.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Trees:
    """Every tree has the same room; what a small tree does not need is filled with feature -1 and leaves of 0.

    Splits stand above their children. A child of 0 or more is a split, one below 0 is leaf `-1 - child`; leaves are
    numbered from left to right. A tree without a split is its leaf 0.
    """

    features: NDArray[np.int32]  # [trees, leaves - 1] what is looked at; -1: no split
    thresholds: NDArray[np.float64]  # [trees, leaves - 1] values up to here go left
    children: NDArray[np.int32]  # [trees, leaves - 1, 2] left and right
    leaves: NDArray[np.float64]  # [trees, leaves] what they add
    counts: NDArray[np.float64]  # [trees, leaves] rows of training that came there

    def scores(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """The sum of the trees: float64 [n] of rows [n, features], whose values are finite."""
        alive = np.full((len(rows), len(self.leaves)), self._all)
        for feature, thresholds, masks in self._lookups:
            alive &= masks.take(np.searchsorted(thresholds, rows[:, feature], side="left"), axis=0)
        one = self._all.dtype.type(1)
        first = np.bitwise_count((alive & (~alive + one)) - one).astype(np.intp)
        first += np.arange(len(self.leaves)) * self.leaves.shape[1]
        return np.asarray(self.leaves.ravel().take(first).sum(axis=1))

    @property
    def _all(self) -> np.uint16 | np.uint32:
        """A mask of all leaves: the shorter, the quicker."""
        return np.uint16(0xFFFF) if self.leaves.shape[1] <= 16 else np.uint32(0xFFFFFFFF)

    @cached_property
    def _lookups(self) -> list[tuple[int, NDArray[np.float64], NDArray[np.uint16 | np.uint32]]]:
        """Of each feature: its thresholds, ascending, and by the place among them the leaves left: [places, trees]."""
        of_trees = zip(self.children, self.features, strict=True)
        of_splits = np.array([_left_leaves(*tree) for tree in of_trees], self._all.dtype)
        found = []
        for feature in np.unique(self.features[self.features >= 0]).tolist():
            trees, splits = (self.features == feature).nonzero()
            at = self.thresholds[trees, splits]
            thresholds = np.unique(at)
            masks = np.full((len(thresholds) + 1, len(self.leaves)), self._all)
            place = np.searchsorted(thresholds, at) + 1  # a value above the threshold rules the left leaves out
            np.bitwise_and.at(masks, (place, trees), ~of_splits[trees, splits])
            found.append((feature, thresholds, np.bitwise_and.accumulate(masks, axis=0)))
        return found

    def contributions(self, row: NDArray[np.float32], *, n_features: int) -> NDArray[np.float64]:
        """What each feature adds to a row's score, and last the score of the mean row: float64 [n_features + 1].

        SHAP values of trees that know how many rows took each path (Lundberg & Lee 2018): they sum to the score. Each
        leaf is a game of the features on its path, worth leaf × Π of them: of one that is known, whether the row
        passes its splits, else the share of the training's rows that do.
        """
        paths = self._paths
        values = row[paths.features]
        known = ((values > paths.low) & (values <= paths.high)).astype(np.float64)
        parts = [
            (known[player] - paths.shares[player]) * _of_coalitions(known, paths.shares, without=player)
            for player in range(len(known))
        ]
        added = (np.array(parts) * paths.values).ravel()
        found = np.zeros(n_features + 1)
        np.add.at(found, paths.features.ravel(), added)
        found[-1] = np.sum(paths.values * paths.shares.prod(axis=0))
        return found

    @cached_property
    def _paths(self) -> "_Paths":
        """Of all leaves of all trees."""
        found = [leaf for tree in range(len(self.leaves)) for leaf in self._leaves_of(tree)]
        # to a feature that all pass, known or not, nothing is due: it fills the room of shorter paths
        filled = _Step(0, -np.inf, np.inf, 1.0)
        longest = max(1, *(len(path) for _, path in found), 1)
        steps = [[*path.values(), *[filled] * (longest - len(path))] for _, path in found]
        features, low, high, shares = np.moveaxis(np.array(steps, np.float64), 2, 0)
        values = np.array([value for value, _ in found])
        return _Paths(values, features.T.astype(np.intp), low.T, high.T, shares.T)

    def _leaves_of(self, tree: int) -> list[tuple[float, dict[int, "_Step"]]]:
        """A tree's leaves: what each adds, and the features on its path."""
        features, children = self.features[tree].tolist(), self.children[tree].tolist()
        if features[0] < 0:
            return [(float(self.leaves[tree, 0]), {})]
        covers = self._covers(tree)
        found: list[tuple[float, dict[int, _Step]]] = []
        waiting: list[tuple[int, dict[int, _Step]]] = [(0, {})]
        while waiting:
            at, path = waiting.pop()
            if at < 0:
                found.append((float(self.leaves[tree, -1 - at]), path))
                continue
            feature, threshold = features[at], float(self.thresholds[tree, at])
            step = path.get(feature, _Step(feature, -np.inf, np.inf, 1.0))
            left, right = children[at]
            passes_left = step._replace(high=min(step.high, threshold), share=step.share * covers[left] / covers[at])
            passes_right = step._replace(low=max(step.low, threshold), share=step.share * covers[right] / covers[at])
            waiting += [(left, {**path, feature: passes_left}), (right, {**path, feature: passes_right})]
        return found

    def _covers(self, tree: int) -> dict[int, float]:
        """Rows of training that came to each split and leaf, as `children` names them."""
        covers = {-1 - leaf: float(count) for leaf, count in enumerate(self.counts[tree])}
        for split in range(len(self.features[tree]) - 1, -1, -1):
            if self.features[tree, split] >= 0:
                covers[split] = sum(covers[child] for child in self.children[tree, split].tolist())
        return covers


class _Step(NamedTuple):
    """What a path asks of one feature: more than `low`, at most `high`; and the share of those who pass."""

    feature: int
    low: float
    high: float
    share: float


@dataclass(frozen=True)
class _Paths:
    """The paths to all leaves."""

    values: NDArray[np.float64]  # [paths] of the leaves
    features: NDArray[np.intp]  # [longest path, paths]; the arrays below have this shape too
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    shares: NDArray[np.float64]


def _of_coalitions(known: NDArray[np.float64], unknown: NDArray[np.float64], *, without: int) -> NDArray[np.float64]:
    """Σ over the coalitions of the other players, [players, paths] each, of weight × Π: float64 [paths].

    Shapley's weight, times what is known of those in the coalition, times what is unknown of the others.
    """
    n = len(known)
    by_size = np.zeros_like(known)  # Σ of the products of all coalitions of one size
    by_size[0] = 1.0
    for player in range(n):
        if player != without:
            by_size[1:] = unknown[player] * by_size[1:] + known[player] * by_size[:-1]
            by_size[0] *= unknown[player]
    weights = np.array([1 / (n * math.comb(n - 1, size)) for size in range(n)])
    return np.asarray(weights @ by_size)


def _left_leaves(children: NDArray[np.int32], features: NDArray[np.int32]) -> list[int]:
    """Of each split of a tree: a mask of the leaves on its left."""
    masks = [0] * len(features)
    whole = [0] * len(features)
    for split in range(len(features) - 1, -1, -1):
        if features[split] < 0:
            continue
        left, right = (1 << (-1 - child) if child < 0 else whole[child] for child in children[split].tolist())
        masks[split], whole[split] = left, left | right
    return masks
