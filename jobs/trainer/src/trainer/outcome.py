"""A finished run, on whatever engine: what was published, how it was judged, and what the gate said."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from trainer.choosing.gate import Judged, Verdict
from trainer.choosing.recipe import Recipe


class Judgement(Protocol):
    """What every engine has of it: the figures of the version, and of popular items by the same users."""

    @property
    def new(self) -> Judged: ...

    @property
    def popularity(self) -> Judged: ...


JudgementT = TypeVar("JudgementT", bound=Judgement, covariant=True)


@dataclass(frozen=True)
class Outcome(Generic[JudgementT]):
    """What a run came to."""

    version: str
    recipe: Recipe
    judgement: JudgementT | None  # none: too few users to judge by
    verdict: Verdict
    activated: bool
    report: Path | None = None  # HTML, with the same as JSON beside it
    by_exposures: Sequence[str] = ()  # what the log of what was shown says of it

    def summary(self) -> str:
        """Lines for a terminal."""
        lines = [f"recipe: {self.recipe.model_dump_json()}"]
        if self.judgement is not None:
            new, popular = self.judgement.new, self.judgement.popularity
            lines += [f"{m}: {new.mean(m):.4f} (popularity {popular.mean(m):.4f})" for m in ("recall@20", "ndcg@20")]
        lines += [f"judged by {self.verdict.users:,} users", *self.verdict.reasons, *self.by_exposures]
        if self.report is not None:
            lines.append(f"report: {self.report}")
        return "\n".join([*lines, f"{self.version} is {'live' if self.activated else 'refused, and not live'}"])
