"""The API in memory: requests in, answers out, by the paths and errors of the real one.

A contract test asks this and a running system the same things.
"""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import httpx

from recsys_client.clients import AsyncClient, Client
from recsys_client.testing.fake_operations import FakeOperations
from recsys_client.testing.fake_shop import Exposure, FakeProblemError, FakeShop, Json


class FakeGateway:
    """The API for tests: `client()` and `async_client()` are real clients of it, over no network.

    Lists hold the most popular items (by events, then by id) that are on sale, pass the filter and were not seen. There
    is no model: blend, diversity and rules change nothing. Changes count at once.
    """

    def __init__(self, *, api_key: str | None = None) -> None:
        self.shop = FakeShop()
        self._routes = FakeOperations(self.shop).routes()
        self.requests: list[httpx.Request] = []
        self._api_key = api_key
        self._failures: list[tuple[int, float | None]] = []
        self.transport = httpx.MockTransport(self._answer)

    def client(self, **options: Any) -> Client:
        """A client of this, which waits for nothing between attempts."""
        waits: dict[str, Any] = {"sleep": lambda _: None, "api_key": self._api_key}
        return Client("http://fake", transport=self.transport, **(waits | options))

    def async_client(self, **options: Any) -> AsyncClient:
        """The same for asyncio."""

        async def no_sleep(_: float) -> None:
            pass

        waits: dict[str, Any] = {"sleep": no_sleep, "api_key": self._api_key}
        return AsyncClient("http://fake", transport=self.transport, **(waits | options))

    @property
    def events(self) -> list[Json]:
        """What was stored, in the order of arrival: the fields of `Event`."""
        return self.shop.events

    @property
    def exposures(self) -> list[Exposure]:
        """Lists that were given to somebody, without previews."""
        return self.shop.exposures

    def fail(self, status: int, *, times: int = 1, retry_after_s: float | None = None) -> None:
        """Answer the next requests with an error, as if the gateway were unavailable (503) or busy (429)."""
        self._failures += [(status, retry_after_s)] * times

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self._failures:
            status, retry_after_s = self._failures.pop(0)
            headers = {} if retry_after_s is None else {"Retry-After": f"{retry_after_s:g}"}
            return _problem(request, FakeProblemError(status, "the test said so"), headers)
        try:
            if self._api_key and request.headers.get("Authorization") != f"Bearer {self._api_key}":
                raise FakeProblemError(401, "this API key is unknown or has expired")
            return httpx.Response(200, json=self._routed(request))
        except FakeProblemError as problem:
            return _problem(request, problem, {})

    def _routed(self, request: httpx.Request) -> Json:
        path = request.url.raw_path.partition(b"?")[0].decode()
        for method, pattern, answer in self._routes:
            found = re.fullmatch(pattern, path)
            if found and method == request.method:
                said = json.loads(request.content) if request.content else request.url.params
                return answer(*map(unquote, found.groups()), said)
        raise FakeProblemError(404, "Not Found")


def _problem(request: httpx.Request, problem: FakeProblemError, headers: Mapping[str, str]) -> httpx.Response:
    answer = {
        "type": "about:blank",
        "title": httpx.codes.get_reason_phrase(problem.status),
        "status": problem.status,
        "detail": problem.detail,
        "instance": request.url.raw_path.partition(b"?")[0].decode(),
        "request_id": request.headers.get("X-Request-ID", ""),
        **problem.more,
    }
    return httpx.Response(
        problem.status,
        content=json.dumps(answer),
        headers={"Content-Type": "application/problem+json", **headers},
    )
