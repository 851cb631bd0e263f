"""What happened in the shop, as the event sink has counted it."""

from datetime import UTC, datetime

from gateway import schemas
from gateway.http.access import needs
from gateway.routes.dependencies import TheStore, keyed_router
from gateway.shop.live_shop import now_ms
from recsys.activity import ACTIVITY, Activity

router = keyed_router("/v1/activity", tag="events")


@router.get("", openapi_extra=needs("read"))
async def get_activity(store: TheStore) -> schemas.Activity:
    """Events, money, lists and clicks of the last 60 days, by day, up to some seconds ago: `as_of`.

    Of the last 7 days also how much of the catalogue lists have shown, and how much of what happened the model knows.
    """
    text = (await store.texts("documents")).get(ACTIVITY)
    if text is None:
        return schemas.Activity(as_of=None, age_s=None, days=[], coverage=None, drift=None)
    told = Activity.model_validate_json(text)
    return schemas.Activity(
        as_of=datetime.fromtimestamp(told.as_of_ms / 1000, tz=UTC),
        age_s=max(0.0, (now_ms() - told.as_of_ms) / 1000),
        days=[schemas.DayOfActivity.model_validate(day.model_dump()) for day in told.days],
        coverage=told.coverage and schemas.Coverage.model_validate(told.coverage.model_dump()),
        drift=told.drift and schemas.Drift.model_validate(told.drift.model_dump()),
    )
