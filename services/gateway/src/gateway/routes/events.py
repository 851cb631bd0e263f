"""What happens in the shop."""

from http import HTTPStatus
from typing import Any

import orjson
from fastapi import HTTPException, Request, Response

from gateway import schemas
from gateway.http.access import needs
from gateway.requests import MAX_EVENTS, EventBatch, EventIn
from gateway.routes.dependencies import TheParts, TheStore, keyed_router
from gateway.shop import events

router = keyed_router("/v1/events", tag="events")

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


@router.post("", response_model=schemas.EventOutcome, openapi_extra=_BODY | needs("events"))
async def post_events(request: Request, store: TheStore, parts: TheParts) -> Response:
    """One event, or up to 1,000 of them. Those accepted are on disk and count in the very next answer.

    A bad event is rejected alone, with its reason. A repeated `event_id` changes nothing, so sending again is safe.
    An event without one gets one; the answer names it, that of 503 too, after which events may be stored or not.
    """
    with parts.events.of_one_request() as counted:
        outcome = counted.took(
            await events.take(
                _rows(await request.body()),
                store=store,
                exposures=parts.live.exposures,
                clients=parts.clients,
                settings=parts.settings,
            )
        )
    return Response(outcome.model_dump_json(), media_type="application/json")


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
    if not isinstance(rows, list) or len(document) > 1:
        raise HTTPException(HTTPStatus.BAD_REQUEST, "body: expected nothing but events, a list of them")
    if not 1 <= len(rows) <= MAX_EVENTS:
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"body: expected 1 to {MAX_EVENTS:,} events, found {len(rows):,}")
    return rows
