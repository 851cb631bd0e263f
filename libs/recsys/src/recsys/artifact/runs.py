"""Every run that published a version, also of versions that were removed since, and the reports that runs left.

    <volume>/reports/runs.jsonl         a line each run, see `Run`
    <volume>/reports/<version>.html     what the run measured, for people; `.json`: the same
    <volume>/reports/rows.json          of the rows of the shop's files, read last: see `Reading`
    <volume>/reports/<version>.run.json a run of a trainer elsewhere, which came by the object store

The trainer writes them; candidate_gen reads them for the API.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from recsys import durable_file
from recsys.artifact import layout
from recsys.artifact.manifest import Manifest
from recsys.artifact.reader import read_manifest
from recsys.errors import DataError

REPORTS: Final = "reports"
FILE: Final = Path(REPORTS) / "runs.jsonl"
ROWS: Final = Path(REPORTS) / "rows.json"
OF_ELSEWHERE: Final = ".run.json"
FIGURES: Final = ("recall@20", "ndcg@20")
"""What is told of a run; its report has the others."""


class Run(BaseModel):
    """What a run made, and what the gate said of it."""

    model_config = ConfigDict(frozen=True)

    version: str
    trained_at: datetime
    model: str
    user_count: int
    item_count: int
    metrics: dict[str, float]  # means of FIGURES on the newest window; empty: not judged
    users_judged: int | None  # none: not recorded
    refusal: str  # why the gate refused it; empty: it did not
    forced: bool  # it went live all the same


def run_of(manifest: Manifest) -> Run:
    """The run that made a version."""
    gate = manifest.training.gate
    return Run(
        version=manifest.version,
        trained_at=manifest.trained_at,
        model=manifest.model,
        user_count=manifest.user_count,
        item_count=manifest.item_count,
        metrics={name: manifest.metrics[name].value for name in FIGURES if name in manifest.metrics},
        users_judged=gate.users if gate else None,
        refusal=gate.refusal if gate else "",
        forced=gate.forced if gate else False,
    )


def note(volume: Path, version: str) -> None:
    """Write the run down that made a version. Raises: ArtifactError, OSError."""
    append(volume, run_of(read_manifest(layout.version_dir(volume, version))))


def append(volume: Path, run: Run) -> None:
    """Write a run down. Raises: OSError."""
    path = volume / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as file:
        file.seek(0)
        lines = file.read()
        if not lines.endswith(b"\n"):  # a run that was killed while it wrote
            file.truncate(lines.rfind(b"\n") + 1)
        file.write(run.model_dump_json().encode() + b"\n")
        durable_file.flush(file)


def read(volume: Path) -> list[Run]:
    """The runs of a volume, oldest first; those of earlier releases are not written down. Raises: DataError."""
    path = volume / FILE
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        lines = []
    known = {run.version: run for run in (*_runs(path, lines), *_of_elsewhere(volume))}
    return sorted(known.values(), key=lambda run: run.version)


def _of_elsewhere(volume: Path) -> Iterator[Run]:
    for path in (volume / REPORTS).glob(f"*{OF_ELSEWHERE}"):
        try:
            yield Run.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise DataError(f"{path}: expected a run as JSON: {error}") from error


def _runs(path: Path, lines: list[str]) -> Iterator[Run]:
    for number, line in enumerate(lines, start=1):
        try:
            yield Run.model_validate(json.loads(line))
        except (ValueError, ValidationError) as error:
            if number == len(lines):  # a run that was killed while it wrote
                return
            raise DataError(f"{path}: line {number}: expected a run as JSON: {error}") from error


class Baseline(BaseModel):
    """A row of a report's table of models."""

    model_config = ConfigDict(frozen=True)

    name: str
    metrics: dict[str, float]  # means of FIGURES


def report_path(volume: Path, version: str) -> Path:
    """Where the report of a version's run is, whether it exists or not."""
    return volume / REPORTS / f"{version}.html"


def report_files(version: str) -> tuple[str, str]:
    """The names of a report's files, where the run left one."""
    return f"{version}.html", f"{version}.json"


def report(volume: Path, version: str) -> str | None:
    """The report of a version's run, as HTML; none where the run left none. Raises: OSError."""
    path = report_path(volume, version)
    if path not in (volume / REPORTS).glob("*.html"):  # whatever somebody calls a version
        return None
    return path.read_text(encoding="utf-8")


def compared_with(volume: Path, version: str) -> list[Baseline]:
    """What the run's report has beside its own model, in the report's order; nothing where it has no table.

    Raises: OSError.
    """
    try:
        rows = json.loads(report_path(volume, version).with_suffix(".json").read_bytes())["models"][1:]
        return [Baseline(name=row["name"], metrics=_means(row["metrics"])) for row in rows]
    except (FileNotFoundError, ValueError, KeyError, TypeError, ValidationError):  # of another release, or cut off
        return []


class _Interval(BaseModel):
    value: float
    low: float  # of 95 %
    high: float


class Earned(_Interval):
    """What lists earned by the log of what was shown in the run's newest window, or would have earned, a list."""

    model_config = ConfigDict(frozen=True)

    order: str  # of the lists
    outcome: str  # clicked or bought


class _Estimate(BaseModel):
    dr: _Interval
    is_enough: bool


class _OffPolicy(BaseModel):
    """What a report has of it."""

    served: dict[str, _Interval]  # by outcome
    orders: dict[str, dict[str, _Estimate]]


AS_SERVED: Final = "as it was served"


def earned(volume: Path, version: str) -> list[Earned]:
    """What the run's report says of the lists as they were shown, then of its own orders by the doubly robust estimate.

    Nothing where no list was shown. An order that has too little in common with them to tell is left out.

    Raises: OSError.
    """
    try:
        told = _OffPolicy.model_validate(
            json.loads(report_path(volume, version).with_suffix(".json").read_bytes())["off_policy"]
        )
    except (FileNotFoundError, ValueError, KeyError, TypeError):  # nothing was shown, of another release, or cut off
        return []
    orders = {
        order: {outcome: each.dr for outcome, each in estimates.items() if each.is_enough}
        for order, estimates in told.orders.items()
    }
    return [
        Earned(order=order, outcome=outcome, **dict(found))
        for order, outcomes in {AS_SERVED: told.served, **orders}.items()
        for outcome, found in outcomes.items()
    ]


def _means(metrics: dict[str, dict[str, float]]) -> dict[str, float]:
    return {name: metrics[name]["value"] for name in FIGURES if name in metrics}


class Rejected(BaseModel):
    """Rows rejected for one reason."""

    model_config = ConfigDict(frozen=True)

    reason: str
    rows: int
    hint: str | None  # what would mend them, where that can be told


class FileRows(BaseModel):
    """What became of the rows of one kind of file: read = kept + rejected + ignored."""

    model_config = ConfigDict(frozen=True)

    name: str  # events or catalogue
    read: int
    kept: int
    ignored: int  # that are right, and no events to learn from
    rejected: tuple[Rejected, ...]  # most frequent first


class Reading(BaseModel):
    """The last reading of the shop's files."""

    model_config = ConfigDict(frozen=True)

    read_at: datetime
    files: tuple[FileRows, ...]


def note_reading(volume: Path, reading: Reading) -> None:
    """Write down what became of the rows. Raises: OSError."""
    path = volume / ROWS
    path.parent.mkdir(parents=True, exist_ok=True)
    durable_file.replace(path, reading.model_dump_json().encode())


def last_reading(volume: Path) -> Reading | None:
    """The last reading; none where there were no files, or an earlier release read them. Raises: OSError."""
    try:
        return Reading.model_validate_json((volume / ROWS).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
