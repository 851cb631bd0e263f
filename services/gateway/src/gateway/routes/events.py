"""What happens in the shop."""

from http import HTTPStatus
from typing import Any

import orjson
from fastapi import APIRouter, HTTPException, Request, Response

from gateway import answers
from gateway.http.access import KeyedRoute, needs
from gateway.http.problems import OF_BAD_INPUT, OF_THE_KEY, OF_THE_SERVICES, EventsRejectedError, documented
from gateway.requests import MAX_EVENTS, EventBatch, EventIn
from gateway.routes.dependencies import TheClients, TheLive, TheSettings, TheStore
from gateway.shop import events
from gateway.shop import shop_json as presentation

router = APIRouter(
    prefix="/v1/events",
    tags=["events"],
    responses=documented(*OF_BAD_INPUT, *OF_THE_KEY, *OF_THE_SERVICES),
    route_class=KeyedRoute,
)

_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "anyOf": [{"$ref": f"#/components/schemas/{model.__name__}"} for model in (EventIn, EventBatch)]
                }
            }
        },
    }
}


@router.post("", response_model=answers.EventOutcome, openapi_extra=_BODY | needs("events"))
async def post_events(
    request: Request, store: TheStore, live: TheLive, clients: TheClients, settings: TheSettings
) -> Response:
    """One event, or up to 1,000 of them. Those accepted are on disk and count in the very next answer.

    A bad event is rejected alone, with its reason. A repeated `event_id` changes nothing, so sending again is safe.
    An event without one gets one; the answer names it, that of 503 too, after which events may be stored or not.
    """
    rows = _rows(await request.body())
    outcome = await events.take(rows, store=store, exposures=live.exposures, clients=clients, settings=settings)
    answer = presentation.event_outcome(outcome)
    if not outcome.event_ids:
        raise EventsRejectedError(answer.rejected)
    return Response(answer.model_dump_json(), media_type="application/json")


def _rows(body: bytes) -> list[Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"body: expected JSON: {error}") from error
    if not isinstance(document, dict):
        raise HTTPException(HTTPStatus.BAD_REQUEST, 'body: expected an event, or {"events": […]}')
    if "events" not in document:
        return [document]
    rows = document["events"]
    if not isinstance(rows, list) or not 1 <= len(rows) <= MAX_EVENTS or len(document) > 1:
        raise HTTPException(
            HTTPStatus.BAD_REQUEST, f"body: expected nothing but events, a list of 1 to {MAX_EVENTS} of them"
        )
    return rows
