"""A recipe and a held-out window in, whether it may go live out: the trainer's gate, on figures that workers made."""

import logging
from dataclasses import dataclass, replace

from recsys.artifact.manifest import Manifest
from trainer.choosing import judging as local
from trainer.choosing.gate import Verdict, decide
from trainer.choosing.recipe import ALSRecipe, PopularityRecipe, Recipe
from trainer.evaluation.windows import ENOUGH_USERS
from trainer.progress import step
from trainer.settings import Settings
from trainer_spark import judging, model
from trainer_spark.judging import Figures, Model
from trainer_spark.splits import Window

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Judgement:
    """How a recipe did, and what it is compared with."""

    new: Figures
    popularity: Figures
    live: Figures | None  # none: nothing is live, or nothing that Spark fits
    incomparable: str  # why what is live is not compared with; empty: it is, or nothing is live


def judge(recipe: ALSRecipe, window: Window | None, *, live: Manifest | None, settings: Settings) -> Judgement | None:
    """Fit and judge on a window; none where too few users can be judged."""
    if window is None or window.judged_users < ENOUGH_USERS:
        return None
    users, known = window.users, window.statistics
    live_recipe, incomparable = _comparable(live)
    with step("judge: fit"):
        models: dict[str, Model] = {
            "new": model.personal(users, model.fit(users, known, recipe, seed=settings.seed)),
            "popularity": model.popular(users, known, PopularityRecipe()),
        }
        if isinstance(live_recipe, ALSRecipe) and live_recipe != recipe:
            models["live"] = model.personal(users, model.fit(users, known, live_recipe, seed=settings.seed))
        elif isinstance(live_recipe, PopularityRecipe):
            models["live"] = model.popular(users, known, live_recipe)
    with step("judge"):
        found = judging.judge(users, models, known, most=settings.judging_users, seed=settings.seed)
    of_live = found["new"] if live_recipe == recipe else found.get("live")
    return Judgement(found["new"], found["popularity"], of_live, incomparable)


def verdict(
    recipe: ALSRecipe,
    judgement: Judgement | None,
    *,
    judged_users: int,
    ann_recall: float,
    live: Manifest | None,
    settings: Settings,
) -> Verdict:
    """Whether a version of the recipe may go live, with an index that finds so much of the exact first items."""
    if judgement is None:
        return local.unjudged(recipe, judged_users, live=live)
    found = decide(
        judgement.new,
        live=judgement.live,
        baseline=judgement.popularity,
        ann_recall=ann_recall,
        ann_recall_floor=settings.ann_recall_floor,
        seed=settings.seed,
    )
    if not judgement.incomparable:
        return found
    return replace(found, passed=False, reasons=(f"failed: {judgement.incomparable}", *found.reasons))


def _comparable(live: Manifest | None) -> tuple[Recipe | None, str]:
    """The live version's recipe, if it can be fitted here; else why it cannot."""
    if live is None:
        return None, ""
    recipe = local.recipe_of(live)
    if isinstance(recipe, ALSRecipe | PopularityRecipe) and live.blend.weights.is_personal_only:
        return recipe, ""
    reason = "Spark fits neither the live version's model nor its blend, so nothing shows that this one is no worse"
    return None, f"{reason} ({live.model}); --force puts it live"
