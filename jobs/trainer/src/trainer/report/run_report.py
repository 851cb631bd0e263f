"""What a run judged in, the report that a person reads out: the table, hard negatives, the loss budget, the curves."""

from collections.abc import Sequence
from datetime import UTC, datetime

from trainer.choosing import baskets
from trainer.choosing.baskets import OfWindow
from trainer.choosing.blending import ChosenBlend
from trainer.choosing.gate import METRIC, with_interval
from trainer.choosing.judging import Judgement
from trainer.choosing.recipe import PopularityRecipe, Recipe
from trainer.choosing.selection import Choice
from trainer.evaluation import bootstrap, hard_negatives
from trainer.evaluation.full_ranking import Evaluation
from trainer.models.epochs import Epoch
from trainer.report.figures import (
    BoughtTogetherFigures,
    Comparison,
    HardNegativeFigures,
    ModelFigures,
    RunReport,
    TrainingCurve,
    TwoStageFigures,
    bought_together_figures,
    figures_of,
    hard_negative_figures,
    new_items_figures,
)
from trainer.settings import Settings

_ASKED_USERS = 2_000  # of the hard negatives


def describe(
    version: str,
    choice: Choice,
    judgement: Judgement,
    of_baskets: OfWindow | None = None,
    *,
    two_stage: TwoStageFigures | None,
    settings: Settings,
) -> RunReport:
    """Everything that the run measured on its newest window."""
    window, recipe = judgement.window, judgement.recipe
    is_baseline = isinstance(recipe, PopularityRecipe)
    name = f"{recipe.model}, as published" if is_baseline else recipe.model  # the table has popularity among the others
    of_run = {
        "its personal score alone": judgement.personal,
        "live version's recipe": judgement.live,
        "popular items, as they would go live": None if is_baseline else judgement.popularity,
    }
    learned = judgement.learned
    if learned is not None and not judgement.stands_in:
        of_run |= (
            {"the blend without the learned ranker": learned.blend}
            if learned.wins
            else {"learned ranker, refused": learned.evaluation}
        )
    beside = {other: evaluation for other, evaluation in of_run.items() if evaluation is not None}
    return RunReport(
        title=version,
        made_at=datetime.now(UTC),
        split=f"Trained before {window.cut:%Y-%m-%d %H:%M} UTC; tested by items new to each user after it."
        if window.cut
        else "Tested by a random fifth of each user's items, since the events have no times; trained on the others.",
        k=20,
        models=_models({name: judgement.new, **beside, **judgement.baselines}, name, judgement, settings=settings),
        comparisons=_comparisons(judgement.baselines | beside, name, judgement, settings=settings),
        training_curves=_curves(recipe, choice.curve),
        hard_negatives=_hard_negatives(judgement, settings=settings),
        two_stage=two_stage,
        data={
            "users who judged": len(judgement.new.user_rows),
            "users before the window": len(window.train.user_ids),
            "items before the window": len(window.train.item_ids),
            "pairs before the window": window.train.weights.nnz,
            **{f"test pairs: {kind.replace('_', ' ')}": count for kind, count in window.test_sizes_outside.items()},
        },
        settings={
            "model": recipe.model,
            "recency_strength": recipe.recency_strength,
            **({} if isinstance(recipe, PopularityRecipe) else recipe.settings.model_dump()),
            **_blend(ChosenBlend(judgement.blend, None) if judgement.stands_in else choice.blend),
            **({} if learned is None else {"learned ranker": learned.reason}),
            "seed": settings.seed,
            "recent_days": settings.recent_days,
            "horizon_days": settings.horizon_days,
        },
        off_policy=judgement.off_policy,
        new_items=new_items_figures(judgement.new_items) if judgement.new_items else None,
        bought_together=_bought_together(of_baskets, judgement, settings=settings) if of_baskets else None,
    )


def _bought_together(of_baskets: OfWindow, judgement: Judgement, *, settings: Settings) -> BoughtTogetherFigures:
    """Beside items that are alike by the judged model, where it has embeddings that tell."""
    embeddings = None if isinstance(judgement.recipe, PopularityRecipe) else judgement.embeddings.item
    return bought_together_figures(baskets.judge(of_baskets, embeddings, seed=settings.seed))


def _blend(chosen: ChosenBlend) -> dict[str, str | float]:
    """What lists are ranked by, and what the best blend was worth on the validation window, taken or not."""
    blend = chosen.blend
    told: dict[str, str | float] = {f"blend: {name}": value for name, value in blend.info.model_dump().items()}
    if blend.transitions is not None:
        told["transitions"] = blend.transitions.counted.replace("_", " ")
    if chosen.gain is not None:
        told[f"best blend tried, {METRIC} over the personal score alone"] = with_interval(chosen.gain)
    return told


def _models(
    judged: dict[str, Evaluation], name_of_new: str, judgement: Judgement, *, settings: Settings
) -> list[ModelFigures]:
    return [
        figures_of(
            name,
            evaluation,
            n_items=len(judgement.window.train.item_ids),
            k=20,
            dim=judgement.embeddings.item.shape[1] if name == name_of_new else None,
            fit_s=judgement.fit_s if name == name_of_new else None,
            seeds={},
            seed=settings.seed,
        )
        for name, evaluation in judged.items()
    ]


def _comparisons(
    others: dict[str, Evaluation], name_of_new: str, judgement: Judgement, *, settings: Settings
) -> list[Comparison]:
    new = judgement.new.per_user[METRIC]
    return [
        Comparison(name_of_new, name, METRIC, bootstrap.paired(new, other.per_user[METRIC], seed=settings.seed))
        for name, other in others.items()
    ]


def _hard_negatives(judgement: Judgement, *, settings: Settings) -> list[HardNegativeFigures]:
    model = judgement.recipe.model
    figures = []
    for drawn_by, source in {model: judgement.embeddings, "item-kNN": judgement.other, "uniform random": None}.items():
        judged = hard_negatives.judge(
            judgement.embeddings, judgement.window, negatives_by=source, max_users=_ASKED_USERS, seed=settings.seed
        )
        if len(judged.user_rows):
            figures.append(hard_negative_figures(model, drawn_by, judged, seed=settings.seed))
    return figures


def _curves(recipe: Recipe, curve: Sequence[Epoch]) -> list[TrainingCurve]:
    scored = [(epoch.number, epoch.score) for epoch in curve if epoch.score is not None]
    epochs, values = [number for number, _ in scored], [score for _, score in scored]
    return [TrainingCurve(recipe.model, METRIC, epochs, values)] if scored else []
