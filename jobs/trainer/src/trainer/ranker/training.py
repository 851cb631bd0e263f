"""Candidates with their features, and which of them were taken, in; boosted trees that put the taken ones first out.

LambdaMART (Burges 2010) as LightGBM has it. It begins from the blend's scores: the trees learn what the blend lacks,
and are added to it. Negatives are the candidates that were not taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import lightgbm as lgb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.artifact.manifest import RankerInfo
from recsys.artifact.ranker import Ranker
from recsys.ranking_features import LIST_FEATURES
from recsys.trees import Trees
from trainer.ranker import item_features
from trainer.shop_data.interactions import Interactions
from trainer.threads import allowed

_ROUNDS: Final = 60
_LEAVES: Final = 16
_LEAST_ROWS_IN_A_LEAF: Final = 100
_MOST_THREADS: Final = 4
_BLEND: Final = LIST_FEATURES.index("blend")


@dataclass(frozen=True)
class Lists:
    """Candidates of some users, one list after the other."""

    names: list[str]  # of the features
    features: NDArray[np.float32]  # [n, len(names)]
    taken: NDArray[np.bool_]  # [n] later, in the held-out window
    weights: NDArray[np.float64]  # [n] what each counts
    sizes: NDArray[np.int64]  # candidates of each list

    @classmethod
    def of(
        cls,
        names: list[str],
        features: Sequence[NDArray[np.float32]],
        taken: Sequence[NDArray[np.bool_]],
        weights: Sequence[NDArray[np.float64]] | None = None,
    ) -> "Lists":
        """Of those lists of whose candidates some were taken and some were not: others teach nothing.

        Args:
            weights: what a candidate that was taken counts; none: 1, as one that was not.
        """
        kept = [at for at, each in enumerate(taken) if each.any() and not each.all()]
        counts = [np.ones(len(taken[at])) if weights is None else np.where(taken[at], weights[at], 1.0) for at in kept]
        return cls(
            names,
            np.concatenate([np.empty((0, len(names)), np.float32), *(features[at] for at in kept)]),
            np.concatenate([np.empty(0, np.bool_), *(taken[at] for at in kept)]),
            np.concatenate([np.empty(0), *counts]),
            np.array([len(taken[at]) for at in kept], np.int64),
        )

    def and_of(self, other: "Lists") -> "Lists":
        """These lists and others with the same features."""
        parts = ((vars(self)[name], vars(other)[name]) for name in ("features", "taken", "weights", "sizes"))
        return Lists(self.names, *map(np.concatenate, parts))


@dataclass(frozen=True, eq=False)
class Learned:
    """Trees, which are the same whatever is known of the items by now."""

    info: RankerInfo
    trees: Trees = field(repr=False)
    catalogue: pl.DataFrame | None = field(default=None, repr=False)  # of which a taste is; none: nobody knows

    def over(self, known: Interactions) -> Ranker:
        """With the features of the items as they are known."""
        last = {"last_event_unix_s": int(known.last_seen.max(initial=0))}
        return Ranker(self.info.model_copy(update=last), self.trees, item_features.of_items(known))


def train(lists: Lists, *, base_weight: float, seed: int) -> Learned:
    """Trees whose sum, added to base_weight × the blend from 0 to 1, ranks what was taken first; the same by `seed`."""
    data = lgb.Dataset(
        lists.features,
        label=lists.taken.astype(np.int32),
        weight=lists.weights,
        group=lists.sizes,
        init_score=base_weight * lists.features[:, _BLEND].astype(np.float64),
        feature_name=lists.names,
    )
    booster = lgb.train(_settings(seed), data, num_boost_round=_ROUNDS)
    trees = trees_of(booster)
    n_trees, n_leaves = trees.leaves.shape
    info = RankerInfo(features=lists.names, trees=n_trees, leaves=n_leaves, base_weight=base_weight)
    return Learned(info, trees)


def _settings(seed: int) -> dict[str, Any]:
    return {
        "objective": "lambdarank",
        "lambdarank_truncation_level": 30,
        "num_leaves": _LEAVES,
        "learning_rate": 0.02,
        "min_data_in_leaf": _LEAST_ROWS_IN_A_LEAF,
        "lambda_l2": 10.0,
        "max_bin": 63,
        "feature_fraction": 0.8,
        "use_missing": False,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": min(_MOST_THREADS, allowed()),
        "verbosity": -1,
    }


def trees_of(booster: lgb.Booster) -> Trees:
    """LightGBM's trees as plain arrays, leaves numbered from left to right."""
    told = [each["tree_structure"] for each in booster.dump_model()["tree_info"]]
    shape = (len(told), max(1, *(each.get("num_leaves", 1) for each in booster.dump_model()["tree_info"]), 2))
    trees = Trees(
        features=np.full((shape[0], shape[1] - 1), -1, np.int32),
        thresholds=np.zeros((shape[0], shape[1] - 1)),
        children=np.full((shape[0], shape[1] - 1, 2), -1, np.int32),
        leaves=np.zeros(shape),
        counts=np.zeros(shape),
    )
    for number, root in enumerate(told):
        _fill(trees, number, root)
    return trees


def _fill(trees: Trees, number: int, root: dict[str, Any]) -> None:
    """One tree's part of the arrays: splits and leaves as they are met, the left before the right."""
    splits = leaves = 0

    def place(node: dict[str, Any]) -> int:
        nonlocal splits, leaves
        if "split_index" not in node:
            trees.leaves[number, leaves] = node["leaf_value"]
            trees.counts[number, leaves] = node.get("leaf_count", 1)
            leaves += 1
            return -leaves
        split, splits = splits, splits + 1
        trees.features[number, split] = node["split_feature"]
        trees.thresholds[number, split] = node["threshold"]
        trees.children[number, split] = place(node["left_child"]), place(node["right_child"])
        return split

    place(root)
