"""Online experiments: what runs, what it shows, and how to stop it or change its shares."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path

from gateway.experiments import report, schemas
from gateway.experiments.live import Experiments
from gateway.http.access import KeyedRoute, needs
from gateway.http.problems import OF_BAD_INPUT, OF_THE_KEY, OF_THE_SERVICES, documented
from gateway.routes.dependencies import TheExperiments, TheStore
from gateway.shop.live_shop import now_ms
from recsys.errors import InvalidArgumentError
from recsys.experiments import SUMS, Sums

router = APIRouter(
    prefix="/v1/experiments",
    tags=["experiments"],
    responses=documented(*OF_BAD_INPUT, *OF_THE_KEY, *OF_THE_SERVICES),
    route_class=KeyedRoute,
)

ExperimentName = Annotated[str, Path(description="As the experiments file has it.", examples=["recency"])]


@router.get("", openapi_extra=needs("read"))
async def list_experiments(experiments: TheExperiments, store: TheStore) -> schemas.ExperimentList:
    """The experiments of the file in its order, with the shares and states of now."""
    await experiments.refresh(store)
    return schemas.ExperimentList(experiments=[report.summary(live) for live in experiments.all()])


@router.get("/{name}", responses=documented(HTTPStatus.NOT_FOUND), openapi_extra=needs("read"))
async def get_experiment(
    name: ExperimentName, experiments: TheExperiments, store: TheStore
) -> schemas.ExperimentReport:
    """What an experiment has shown up to some seconds ago: `as_of`.

    Intervals, p-values and verdicts are always-valid: reading them often, and stopping as soon as one says so, does not
    make errors more likely.
    """
    _expect_known(name, experiments)
    await experiments.refresh(store)
    text = await store.document(SUMS)
    sums = Sums.model_validate_json(text) if text else None
    return report.build(experiments.get(name), sums, now_ms=now_ms())


@router.post("/{name}/stop", responses=documented(HTTPStatus.NOT_FOUND), openapi_extra=needs("admin"))
async def stop_experiment(
    name: ExperimentName, experiments: TheExperiments, store: TheStore
) -> schemas.ExperimentSummary:
    """Put nobody into the experiment any more, for good. Once more changes nothing; its report stays."""
    _expect_known(name, experiments)
    return report.summary(await experiments.stop(name, store=store, now_ms=now_ms()))


@router.post("/{name}/shares", responses=documented(HTTPStatus.NOT_FOUND), openapi_extra=needs("admin"))
async def set_shares(
    name: ExperimentName, body: schemas.SharesIn, experiments: TheExperiments, store: TheStore
) -> schemas.ExperimentSummary:
    """Change shares of some arms. Ramp all arms up alike: another ratio between them makes them hard to compare."""
    _expect_known(name, experiments)
    try:
        return report.summary(await experiments.set_shares(name, body.shares, store=store))
    except InvalidArgumentError as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, str(error)) from error


def _expect_known(name: str, experiments: Experiments) -> None:
    known = [live.name for live in experiments.all()]
    if name not in known:
        raise HTTPException(
            HTTPStatus.NOT_FOUND, f"no experiment {name!r} in the file; there are: {', '.join(known) or 'none'}"
        )
