"""Events in, what a run fits on everything out: a personal recipe that was proved good, or the baseline.

Where too few users can be judged, nothing is proved: a shop begins with the baseline, and later keeps the live recipe.
Where no personal recipe beats the baseline by more than noise, a shop that has no personal version yet gets the
baseline as its model.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from recsys.artifact.manifest import Manifest
from trainer.choosing import judging, selection
from trainer.choosing.blending import Blend
from trainer.choosing.gate import Verdict
from trainer.choosing.judging import Judgement
from trainer.choosing.new_items import Facts
from trainer.choosing.recipe import PopularityRecipe, Recipe
from trainer.choosing.selection import Choice
from trainer.evaluation.exposures import Shown
from trainer.evaluation.split import Split
from trainer.evaluation.windows import ENOUGH_USERS
from trainer.settings import Settings

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Decision:
    """What is fitted and published."""

    recipe: Recipe
    blend: Blend
    choice: Choice | None  # none, and no judgement: too few users to judge by
    judgement: Judgement | None
    users: int  # judged
    live: Manifest | None

    def verdict(self, ann_recall: float, *, settings: Settings) -> Verdict:
        """Whether it may go live, with an index that finds so much of the exact first items."""
        if self.judgement is None:
            return judging.unjudged(self.recipe, self.users, live=self.live)
        verdict = judging.verdict_on(self.judgement, ann_recall, settings=settings)
        if self.choice is None or not self.choice.users:
            return verdict
        chose = f"passed: {self.choice.users:,} users before the judged window chose the recipe"
        return replace(verdict, reasons=(*verdict.reasons, chose))


def decide(
    given: Recipe | None,
    windows: Sequence[Split],
    to_try: Sequence[Recipe],
    *,
    live: Manifest | None,
    force: bool,
    settings: Settings,
    shown: Shown | None = None,
    shown_before: Shown | None = None,
    facts: Facts | None = None,
) -> Decision:
    """Choose on windows before the newest (unless a recipe is given) and judge on the newest.

    Args:
        windows: held out, newest last; none where the events are too few.
        to_try: recipes to choose from, the safest first.
        force: what was chosen stays chosen, however it is judged.
        shown: the lists of the newest window, by which orders are estimated too.
        shown_before: the lists of the window before it, which a ranker learns from.
        facts: of the shop's items; none: nothing is known of them, and new ones are not judged.
    """
    users = windows[-1].judged_users if windows else 0
    if users < ENOUGH_USERS:
        _log.warning("not enough users to judge by", extra={"users": users, "needed": ENOUGH_USERS})
        catalogue = facts.catalogue if facts else None
        recipe, blend = _unjudged(given, live, volume=settings.artifact_dir, catalogue=catalogue)
        return Decision(recipe, blend, None, None, users, live)
    choice = selection.choose(
        given,
        windows[:-1],
        to_try,
        settings=settings,
        catalogue=facts.catalogue if facts else None,
        shown=shown_before,
    )
    judgement = judging.judge(
        choice.recipe,
        windows[-1],
        blend=choice.blend.blend,
        ranker=choice.ranker,
        baseline=choice.baseline,
        live=live,
        settings=settings,
        shown=shown,
        facts=facts,
    )
    if not (force or judging.is_personal(live)):
        judgement = judging.with_stand_in(judgement, choice.baseline, settings=settings)
    return Decision(judgement.recipe, judgement.blend, choice, judgement, len(judgement.new.user_rows), live)


def _unjudged(
    given: Recipe | None, live: Manifest | None, *, volume: Path, catalogue: pl.DataFrame | None
) -> tuple[Recipe, Blend]:
    """What is fitted where nothing can be proved: what was asked for, what is live, or the baseline."""
    live_recipe = judging.recipe_of(live) if live else None
    if live and live_recipe and given in (None, live_recipe):
        return live_recipe, Blend.of(live, volume, catalogue=catalogue)
    return given or PopularityRecipe(), Blend()
