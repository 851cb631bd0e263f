"""`recsys.v1.RunService`: the runs on the volume → wire, and which of their versions is live."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grpc

from recsys.artifact import activation, file_rows, layout, reports, runs
from recsys.artifact.reader import read_manifest
from recsys.artifact.runs import Run as TrainerRun
from recsys.errors import ArtifactError, NotActivatedError, ObjectStoreError
from recsys.rpc.requests import check_count, check_given
from recsys.v1.run_service_pb2 import (
    RUN_STATE_KEPT,
    RUN_STATE_LIVE,
    RUN_STATE_REMOVED,
    ActivateVersionRequest,
    ActivateVersionResponse,
    EarnedByList,
    FileRows,
    GetReportRequest,
    GetReportResponse,
    ListRunsRequest,
    ListRunsResponse,
    Reading,
    RejectedRows,
    Run,
    RunBaseline,
)
from recsys.v1.run_service_pb2_grpc import RunServiceServicer

if TYPE_CHECKING:  # brings a library that a process without a store need not load
    from recsys.artifact.object_store import ObjectStore

_MOST_RUNS: Final = 100
_LONGEST_NAME: Final = 100  # of a version that somebody asks for

_log = logging.getLogger(__name__)


class RunServicer(RunServiceServicer):
    """Answers from the volume as it is now."""

    def __init__(self, volume: Path, *, opened_store: "Callable[[], ObjectStore | None]" = lambda: None) -> None:
        """`opened_store` gives the object store that the volume follows, if there is one."""
        self._volume = volume
        self._opened_store = opened_store

    def ListRuns(self, request: ListRunsRequest, context: grpc.ServicerContext) -> ListRunsResponse:  # noqa: N802
        check_count("count", request.count, at_most=_MOST_RUNS)
        known = {run.version: run for run in runs.read(self._volume)}
        stored = layout.stored_versions(self._volume) if self._opened_store() is not None else []
        kept = {*layout.list_versions(self._volume), *stored}
        for version in layout.list_versions(self._volume):
            if version not in known and (run := _run_of(self._volume, version)):  # of a trainer of earlier days
                known[version] = run
        newest = sorted(known.values(), key=lambda run: run.version, reverse=True)[: request.count]
        live = layout.current_version(self._volume)
        told = [self._to_wire(run, live=live, kept=kept) for run in newest]
        return ListRunsResponse(artifact_version=live or "", runs=told, last_reading=_reading_of(self._volume))

    def GetReport(self, request: GetReportRequest, context: grpc.ServicerContext) -> GetReportResponse:  # noqa: N802
        check_given("artifact_version", request.artifact_version)
        version = request.artifact_version
        return GetReportResponse(artifact_version=version, html=reports.html(self._volume, version))

    def ActivateVersion(  # noqa: N802
        self, request: ActivateVersionRequest, context: grpc.ServicerContext
    ) -> ActivateVersionResponse:
        version = request.artifact_version
        check_given("artifact_version", version)
        try:
            refusal = self._activate(version)
        except (ArtifactError, ObjectStoreError, OSError) as error:  # whose words tell of paths
            _log.warning("not activated", extra={"artifact_version": version[:_LONGEST_NAME], "reason": str(error)})
            reason = (
                "services would refuse it, see the log"
                if isinstance(error, ArtifactError)
                else "candidate_gen may not write where versions are; use the command `recsys activate`"
            )
            raise NotActivatedError(version[:_LONGEST_NAME], reason) from error
        return ActivateVersionResponse(artifact_version=version, refusal=refusal)

    def _activate(self, version: str) -> str:
        """Why the gate had refused it."""
        store = self._opened_store()
        kept = {*layout.list_versions(self._volume), *(store.listing().versions if store else ())}
        if version not in kept:
            raise NotActivatedError(
                version[:_LONGEST_NAME], f"no such version is kept; kept: {', '.join(sorted(kept))}"
            )
        return activation.activate(self._volume, version, store=store, throttled=True)

    def _to_wire(self, run: TrainerRun, *, live: str | None, kept: set[str]) -> Run:
        is_kept = RUN_STATE_KEPT if run.version in kept else RUN_STATE_REMOVED
        report = reports.told(self._volume, run.version)
        told = Run(
            artifact_version=run.version,
            state=RUN_STATE_LIVE if run.version == live else is_kept,
            model=run.model,
            user_count=run.user_count,
            item_count=run.item_count,
            metrics=run.metrics,
            baselines=[RunBaseline(name=one.name, metrics=one.metrics) for one in report.baselines],
            users_judged=run.users_judged,
            refusal=run.refusal,
            forced=run.forced,
            earned=[EarnedByList(**each.model_dump()) for each in report.earned],
            has_report=reports.path(self._volume, run.version).is_file(),
        )
        told.trained_at.FromDatetime(run.trained_at)
        return told


def _run_of(volume: Path, version: str) -> TrainerRun | None:
    """What the version's manifest says; none where it cannot be read, or was removed meanwhile."""
    try:
        return runs.run_of(read_manifest(layout.version_dir(volume, version)))
    except ArtifactError:
        return None


def _reading_of(volume: Path) -> Reading | None:
    found = file_rows.last(volume)
    if found is None:
        return None
    told = Reading(
        files=[
            FileRows(
                name=rows.name,
                read=rows.read,
                kept=rows.kept,
                ignored=rows.ignored,
                rejected=[RejectedRows(reason=one.reason, rows=one.rows, hint=one.hint or "") for one in rows.rejected],
            )
            for rows in found.files
        ]
    )
    told.read_at.FromDatetime(found.read_at)
    return told
