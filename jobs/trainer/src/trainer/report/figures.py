"""What a run measured, as plain numbers, strings and dates: what the report's page shows and its JSON has."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from trainer.choosing import new_items
from trainer.choosing.baskets import JudgedBaskets
from trainer.choosing.new_items import JudgedNewItems
from trainer.evaluation import basket_completion, bootstrap, metrics
from trainer.evaluation.bootstrap import Interval, PairedDifference
from trainer.evaluation.exposures import OffPolicy
from trainer.evaluation.full_ranking import Evaluation
from trainer.evaluation.hard_negatives import HardNegatives
from trainer.publishing.two_stage import BudgetRow, LossBudget


@dataclass(frozen=True)
class SegmentFigures:
    """One segment of one model's evaluation."""

    name: str
    definition: str
    users: int
    metrics: dict[str, Interval]


@dataclass(frozen=True)
class ModelFigures:
    """One row of the table of models, and its curves."""

    name: str
    dim: int | None  # none for a model without vectors
    fit_s: float | None  # none where it was not timed
    users: int
    reachable: float  # share of the test items that train's catalogue has
    metrics: dict[str, Interval]
    list_level: dict[str, float]
    recall_by_n: list[float]  # mean recall at list length 1, 2, …
    exposure_shares: list[float]  # share of all places that the most exposed 1 %, 2 %, … 100 % of the items take
    segments: list[SegmentFigures]
    seeds: dict[str, list[float]]  # metric → its figure with each training seed; empty for a single seed


@dataclass(frozen=True)
class Comparison:
    """Two models on the same users: `model` minus `baseline`."""

    model: str
    baseline: str
    metric: str
    difference: PairedDifference


@dataclass(frozen=True)
class HardNegativeFigures:
    """One model against one source of negatives."""

    model: str
    drawn_by: str  # a model's name, or "uniform random"
    users: int
    k: int
    recall: Interval
    auc: Interval


@dataclass(frozen=True)
class NewItemsFigures:
    """Items that the window brought: how well they are ranked among themselves, and what they do to all lists."""

    items: int
    users: int  # who took some up
    k: int
    recall: dict[str, Interval]  # of new items, by each order
    gain: PairedDifference  # in that, by their facts minus today's order
    change: PairedDifference  # of recall of all items: with their embeddings minus today's lists
    share: float  # of the places of the lists that they take with embeddings
    share_today: float
    reason: str  # why they have embeddings, or have none


@dataclass(frozen=True)
class BoughtTogetherFigures:
    """Given one item of a held-out basket, how many of the others each list for it has."""

    baskets: int
    buyers: int
    k: int
    recall: dict[str, Interval]  # of the others, by each list
    gain: PairedDifference  # of what is bought together, over similar items; of a model without any, over popular ones
    counted: dict[str, float]  # what was chosen


@dataclass(frozen=True)
class TrainingCurve:
    """What a model that learns in epochs was worth on the way."""

    model: str
    metric: str
    epochs: list[int]
    values: list[float]


@dataclass(frozen=True)
class TwoStageFigures:
    """The loss budget, and the index in it that serves, with as many candidates as the gateway asks for."""

    budget: LossBudget
    chosen: BudgetRow


@dataclass(frozen=True)
class RunReport:
    """Everything that the report shows; parts that a run did not measure stay empty."""

    title: str
    made_at: datetime
    split: str  # how the test was held out, one sentence
    k: int  # the headline's list length; every model was evaluated at it
    models: list[ModelFigures]
    comparisons: list[Comparison]
    training_curves: list[TrainingCurve]
    hard_negatives: list[HardNegativeFigures]
    two_stage: TwoStageFigures | None
    data: dict[str, str | int | float]
    settings: dict[str, str | int | float | bool | None]
    off_policy: OffPolicy | None = None  # none: no list was shown in the window
    new_items: NewItemsFigures | None = None
    bought_together: BoughtTogetherFigures | None = None  # none: no basket was held out


def figures_of(
    name: str,
    evaluation: Evaluation,
    *,
    n_items: int,
    k: int,
    dim: int | None,
    fit_s: float | None,
    seeds: Mapping[str, list[float]],
    seed: int,
) -> ModelFigures:
    """Summarise an evaluation: bootstrap intervals by `seed`, and the curves at list length `k`."""
    exposure = metrics.exposures(evaluation.ranked, k, n_items=n_items)
    return ModelFigures(
        name=name,
        dim=dim,
        fit_s=fit_s,
        users=len(evaluation.user_rows),
        reachable=evaluation.reachable,
        metrics=bootstrap.intervals(evaluation.per_user, seed=seed),
        list_level=evaluation.list_level,
        recall_by_n=evaluation.recall_curve().tolist(),
        exposure_shares=_exposure_shares(exposure),
        segments=[
            SegmentFigures(
                name=segment.name,
                definition=segment.definition,
                users=len(next(iter(segment.per_user.values()))),
                metrics=bootstrap.intervals(segment.per_user, seed=seed),
            )
            for segment in evaluation.segments
        ],
        seeds=dict(seeds),
    )


def new_items_figures(judged: JudgedNewItems) -> NewItemsFigures:
    """Summarise a judgement of new items."""
    return NewItemsFigures(
        items=judged.items,
        users=judged.users,
        k=new_items.K,
        recall=judged.intervals(),
        gain=judged.gain,
        change=judged.change,
        share=judged.share,
        share_today=judged.share_today,
        reason=judged.reason,
    )


def bought_together_figures(judged: JudgedBaskets) -> BoughtTogetherFigures:
    """Summarise a judgement of what is bought together."""
    return BoughtTogetherFigures(
        baskets=judged.baskets,
        buyers=judged.buyers,
        k=basket_completion.K,
        recall=judged.intervals(),
        gain=judged.gain,
        counted=judged.counted,
    )


def hard_negative_figures(model: str, drawn_by: str, judged: HardNegatives, *, seed: int) -> HardNegativeFigures:
    """Summarise a judgement against drawn negatives, with bootstrap intervals by `seed`."""
    intervals = bootstrap.intervals({"recall": judged.recall, "auc": judged.auc}, seed=seed)
    return HardNegativeFigures(
        model=model,
        drawn_by=drawn_by,
        users=len(judged.user_rows),
        k=judged.k,
        recall=intervals["recall"],
        auc=intervals["auc"],
    )


def _exposure_shares(exposure: NDArray[np.int64]) -> list[float]:
    falling = np.cumsum(np.sort(exposure)[::-1])
    ends = np.ceil(np.arange(1, 101) / 100 * len(exposure)).astype(np.int64) - 1
    return [float(share) for share in falling[ends] / max(1, int(falling[-1]))]
