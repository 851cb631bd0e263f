"""The trainer's runs: their figures, and their reports."""

from datetime import UTC
from http import HTTPStatus
from typing import Annotated

from fastapi import HTTPException, Path, Query

from gateway import schemas
from gateway.http.access import needs
from gateway.http.problems import documented
from gateway.routes.dependencies import TheParts, keyed_router
from recsys.v1.run_service_pb2 import Reading, Run, RunState

router = keyed_router("/v1/runs", tag="model")

Version = Annotated[
    str, Path(max_length=200, description="As the list of runs has it.", examples=["20250101T000000Z-als"])
]


@router.get("", openapi_extra=needs("read"))
async def list_runs(
    parts: TheParts, count: Annotated[int, Query(ge=1, le=100, description="The newest so many.")] = 20
) -> schemas.RunList:
    """The trainer's runs, newest first: figures with the baselines beside them, refusals, what became of it."""
    found = await parts.clients.candidate_gen.list_runs(count=count, timeout_s=parts.settings.timeout_s)
    return schemas.RunList(
        runs=[_run(run) for run in found.runs],
        last_reading=_reading(found.last_reading) if found.HasField("last_reading") else None,
    )


@router.get("/{version}/report", responses=documented(HTTPStatus.NOT_FOUND), openapi_extra=needs("read"))
async def get_run_report(version: Version, parts: TheParts) -> schemas.RunReport:
    """What a run measured, as the page that it left."""
    found = await parts.clients.candidate_gen.get_report(version, timeout_s=parts.settings.timeout_s)
    if not found.HasField("html"):
        raise HTTPException(HTTPStatus.NOT_FOUND, f"no report of a run {version!r}")
    return schemas.RunReport(artifact_version=version, html=found.html)


def _run(run: Run) -> schemas.Run:
    return schemas.Run(
        artifact_version=run.artifact_version,
        state=RunState.Name(run.state).removeprefix("RUN_STATE_").lower(),
        trained_at=run.trained_at.ToDatetime(UTC),
        model=run.model,
        user_count=run.user_count,
        item_count=run.item_count,
        metrics=dict(run.metrics),
        baselines=[schemas.RunBaseline(name=one.name, metrics=dict(one.metrics)) for one in run.baselines],
        users_judged=run.users_judged if run.HasField("users_judged") else None,
        refusal=run.refusal or None,
        forced=run.forced,
        earned=[
            schemas.EarnedByList(order=one.order, outcome=one.outcome, value=one.value, low=one.low, high=one.high)
            for one in run.earned
        ],
        has_report=run.has_report,
    )


def _reading(told: Reading) -> schemas.Reading:
    files = [
        schemas.FileRows(
            name=rows.name,
            read=rows.read,
            kept=rows.kept,
            ignored=rows.ignored,
            rejected=[
                schemas.RejectedRows(reason=one.reason, rows=one.rows, hint=one.hint or None) for one in rows.rejected
            ],
        )
        for rows in told.files
    ]
    return schemas.Reading(read_at=told.read_at.ToDatetime(UTC), files=files)
