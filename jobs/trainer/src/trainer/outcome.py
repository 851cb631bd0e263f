"""A finished run, on whatever engine: what was published, how it was judged, and what the gate said."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from recsys.artifact.runs import FIGURES
from trainer.choosing.gate import Judged, Verdict
from trainer.choosing.recipe import Recipe
from trainer.evaluation import bootstrap


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
            lines += [f"{m}: {new.mean(m):.4f} (popularity {popular.mean(m):.4f})" for m in FIGURES]
        lines += [f"judged by {self.verdict.users:,} users", *self.verdict.reasons, *self.by_exposures]
        if self.report is not None:
            lines.append(f"report: {self.report}")
        return "\n".join([*lines, f"{self.version} is {'live' if self.activated else 'refused, and not live'}"])

    def as_json(self) -> dict[str, Any]:
        """The same for a program, the figures with their 95 % intervals."""
        judgement = self.judgement
        return {
            "version": self.version,
            "recipe": self.recipe.model_dump(mode="json"),
            "gate": asdict(self.verdict),
            "metrics": {} if judgement is None else _with_intervals(judgement.new),
            "popularity": {} if judgement is None else _with_intervals(judgement.popularity),
            "report": None if self.report is None else str(self.report),
        }


def _with_intervals(judged: Judged) -> dict[str, dict[str, float]]:
    found = bootstrap.intervals({metric: judged.per_user[metric] for metric in FIGURES})
    return {metric: asdict(one) for metric, one in found.items()}
