"""More requests than may be in flight hear so at once, and those in flight are answered."""

import asyncio
from collections.abc import Callable

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.http.admission import AdmissionMiddleware

pytestmark = pytest.mark.anyio


def holding(may_answer: asyncio.Event, entered: Callable[[], None]) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        entered()
        await may_answer.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return app


async def test_one_more_than_the_most_is_refused_until_one_has_ended() -> None:
    may_answer, entered = asyncio.Event(), asyncio.Semaphore(0)
    app = AdmissionMiddleware(holding(may_answer, entered.release), max_in_flight=2)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        two = [asyncio.create_task(client.get("/v1/items/popular")) for _ in range(2)]
        for _ in two:
            await entered.acquire()
        refused = await client.get("/v1/items/popular")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert refused.headers["content-type"] == "application/problem+json"
        probe = asyncio.create_task(client.get("/healthz"))
        await entered.acquire()  # a probe passes
        may_answer.set()
        assert [answer.status_code for answer in await asyncio.gather(*two, probe)] == [200, 200, 200]
        assert (await client.get("/v1/items/popular")).status_code == 200
