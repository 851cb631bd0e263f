"""The list of runs: versions that there are, runs whose version is gone, and what the lists of each have brought."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from recsys.artifact import reports, runs
from recsys.artifact.manifest import Manifest
from recsys.artifact.reports import Earned
from recsys.artifact.runs import Run
from recsys.errors import ArtifactError

if TYPE_CHECKING:  # reads the lake, which a volume may not have
    from trainer.shop_data.served import Served

State = Literal["live", "kept", "removed", "unreadable"]
_SIGNS: dict[State, str] = {"live": "*", "kept": " ", "removed": "-", "unreadable": "?"}


@dataclass(frozen=True)
class Known:
    """The versions that there are."""

    versions: list[str]  # oldest first
    live: str | None
    held: list[str]


@dataclass(frozen=True)
class Row:
    """One run, and what became of its version."""

    version: str
    state: State
    run: Run | None  # none: the version cannot be read
    is_held: bool = False
    served: "Served | None" = None  # none: no list of it was shown lately
    earned: Sequence[Earned] = ()  # by the lists that were shown in its newest window; nothing: there were none
    problem: str = ""  # why it cannot be read

    def line(self) -> str:
        """For a terminal."""
        head = f"{_SIGNS[self.state]} {self.version}"
        if self.run is None:
            return f"{head}  {self.problem}"
        run, recall = self.run, self.run.metrics.get("recall@20")
        return "  ".join(
            [
                head,
                f"{run.user_count:,} users × {run.item_count:,} items",
                f"recall@20 {recall:.4f}" if recall is not None else "not judged",
                *([f"judged by {run.users_judged:,} users"] if run.users_judged is not None else []),
                *([f"refused: {run.refusal}"] if run.refusal else []),
                *([_brought(self.served)] if self.served else []),
                *([_earned(self.earned)] if self.earned else []),
                *(["held"] if self.is_held else []),
            ]
        )

    def as_json(self) -> dict[str, Any]:
        """All that is known of it."""
        told = self.run.model_dump(mode="json") if self.run else {"version": self.version, "problem": self.problem}
        served = self.served and {
            "lists": self.served.lists,
            "click_through": self.served.click_through,
            "conversion": self.served.conversion,
        }
        earned = [each.model_dump() for each in self.earned]
        return told | {"state": self.state, "held": self.is_held, "served": served, "earned": earned}


def rows(known: Known, manifest_of: Callable[[str], Manifest], volume: Path, *, days: float) -> list[Row]:
    """Every run, oldest first. Raises: DataError (of the lake, or of what was written down of runs)."""
    served = _served(volume, days)
    there = [_row(version, known, manifest_of, served) for version in known.versions]
    gone = [
        Row(run.version, "removed", run, served=served.get(run.version))
        for run in runs.read(volume)
        if run.version not in known.versions
    ]
    with_log = (replace(row, earned=reports.told(volume, row.version).earned) for row in [*gone, *there])
    return sorted(with_log, key=lambda row: row.version)


def _row(version: str, known: Known, manifest_of: Callable[[str], Manifest], served: Mapping[str, "Served"]) -> Row:
    is_held = version in known.held
    try:
        run = runs.run_of(manifest_of(version))
    except ArtifactError as error:
        return Row(version, "unreadable", None, is_held, problem=str(error))
    return Row(version, "live" if version == known.live else "kept", run, is_held, served.get(version))


def _served(volume: Path, days: float) -> dict[str, "Served"]:
    lake = volume / "lake"  # `recsys.lake.LAKE`, which brings what reads it
    if not lake.is_dir():
        return {}
    from trainer.shop_data import served

    return served.by_version(lake, days=days, now=datetime.now(UTC))


def _brought(served: "Served") -> str:
    lists = "1 list" if served.lists == 1 else f"{served.lists:,} lists"
    return f"{lists} shown, {served.click_through:.2%} clicked, {served.conversion:.2%} bought from"


def _earned(earned: Sequence[Earned]) -> str:
    told = (f"{each.order}: {each.outcome} {each.value:.3f} [{each.low:.3f}, {each.high:.3f}]" for each in earned)
    return "a list of the window " + ", ".join(told)
