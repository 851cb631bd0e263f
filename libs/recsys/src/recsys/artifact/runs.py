"""Every run that published a version, also of versions that were removed since.

    <volume>/reports/runs.jsonl         a line each run, see `Run`
    <volume>/reports/<version>.run.json a run of a trainer elsewhere, which came by the object store

The trainer writes them; candidate_gen reads them for the API. `reports` and `file_rows` have the folder's other files.
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

FILE: Final = Path(layout.REPORTS) / "runs.jsonl"
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
    for path in (volume / layout.REPORTS).glob(f"*{OF_ELSEWHERE}"):
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
