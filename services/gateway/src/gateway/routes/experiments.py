"""Online experiments: what runs, what it shows, and how to stop it or change its shares."""

from http import HTTPStatus
from typing import Annotated

from fastapi import HTTPException, Path

from gateway.experiments import report, schemas
from gateway.experiments.live import Experiments
from gateway.http.access import needs
from gateway.http.problems import documented
from gateway.routes.dependencies import Parts, TheParts, TheStore, keyed_router
from gateway.shop.live_shop import now_ms
from recsys.experiments import DAILY_SUMS, SUMS, DailySumsDocument, Sums

router = keyed_router("/v1/experiments", tag="experiments")

ExperimentName = Annotated[str, Path(description="As the experiments file has it.", examples=["recency"])]


@router.get("", openapi_extra=needs("read"))
async def list_experiments(parts: TheParts, store: TheStore) -> schemas.ExperimentList:
    """The experiments of the file in its order, with the shares and states of now."""
    experiments = parts.live.experiments
    await experiments.refresh(store)
    return schemas.ExperimentList(experiments=[report.summary(live) for live in experiments.all()])


@router.get("/{name}", responses=documented(HTTPStatus.NOT_FOUND), openapi_extra=needs("read"))
async def get_experiment(name: ExperimentName, parts: TheParts, store: TheStore) -> schemas.ExperimentReport:
    """What an experiment has shown up to some seconds ago: `as_of`.

    Intervals, p-values and verdicts are always-valid: reading them often, and stopping as soon as one says so, does not
    make errors more likely.
    """
    experiments = _that_know(name, parts)
    await experiments.refresh(store)
    text = (await store.texts("documents")).get(SUMS)
    sums = Sums.model_validate_json(text) if text else None
    return report.build(experiments.get(name), sums, now_ms=now_ms())


@router.get("/{name}/days", responses=documented(HTTPStatus.NOT_FOUND), openapi_extra=needs("read"))
async def get_experiment_days(name: ExperimentName, parts: TheParts, store: TheStore) -> schemas.ExperimentCourse:
    """How the comparisons went, day by day: each as it was when the day had begun."""
    live = _that_know(name, parts).get(name)
    text = (await store.texts("documents")).get(DAILY_SUMS)
    days = DailySumsDocument.validate_json(text) if text else {}
    shown = {day: report.build(live, sums, now_ms=now_ms()) for day, sums in days.items()}
    return schemas.ExperimentCourse(
        name=name,
        days=[
            schemas.ExperimentDay(date=day, comparisons=each.comparisons)
            for day, each in shown.items()
            if each.as_of is not None
        ],
    )


@router.post("/{name}/stop", responses=documented(HTTPStatus.NOT_FOUND), openapi_extra=needs("admin"))
async def stop_experiment(name: ExperimentName, parts: TheParts, store: TheStore) -> schemas.ExperimentSummary:
    """Put nobody into the experiment any more, for good. Once more changes nothing; its report stays."""
    experiments = _that_know(name, parts)
    return report.summary(await experiments.stop(name, store=store, now_ms=now_ms()))


@router.post("/{name}/shares", responses=documented(HTTPStatus.NOT_FOUND), openapi_extra=needs("admin"))
async def set_shares(
    name: ExperimentName, body: schemas.SharesIn, parts: TheParts, store: TheStore
) -> schemas.ExperimentSummary:
    """Change shares of some arms. Ramp all arms up alike: another ratio between them makes them hard to compare."""
    experiments = _that_know(name, parts)
    return report.summary(await experiments.set_shares(name, body.shares, store=store))


@router.post("/{name}/ship", responses=documented(HTTPStatus.NOT_FOUND), openapi_extra=needs("admin"))
async def ship_experiment(
    name: ExperimentName, body: schemas.ShipIn, parts: TheParts, store: TheStore
) -> schemas.ExperimentSummary:
    """Stop an experiment, and make an arm's settings everybody's. That of the control: as before the experiment.

    A version of its own is not shipped: activate it. The settings hold as long as the experiment stands in the file.
    """
    experiments = _that_know(name, parts)
    return report.summary(await experiments.ship(name, body.arm, store=store, now_ms=now_ms()))


def _that_know(name: str, parts: Parts) -> Experiments:
    """The experiments, of which one has this name."""
    known = [live.name for live in parts.live.experiments.all()]
    if name not in known:
        raise HTTPException(
            HTTPStatus.NOT_FOUND, f"no experiment {name!r} in the file; there are: {', '.join(known) or 'none'}"
        )
    return parts.live.experiments
