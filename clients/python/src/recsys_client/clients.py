"""The client, blocking and asyncio: arguments in, what the API answered out.

Each operation stands once, in `operations`; here it becomes a method of both clients with the same arguments, types and
documentation. What the two do not share is how they send, wait and iterate.
"""

import asyncio
import inspect
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar

import httpx

from recsys_client import operations
from recsys_client.errors import KIND_OF_STATUS, NoAnswerError, Problem, ProblemError, UnexpectedAnswerError
from recsys_client.json_data import decoded
from recsys_client.operations import Answer, Call
from recsys_client.retries import Retries, retry_after_s

P = ParamSpec("P")
Method = TypeVar("Method", bound=Callable[..., Any])

DEFAULT_RETRIES = Retries()


def _method(build: Callable[P, Call[Answer]]) -> Callable[Concatenate["Client", P], Answer]:
    def method(self: "Client", /, *args: P.args, **kwargs: P.kwargs) -> Answer:
        return self.send(build(*args, **kwargs))

    return _documented_by(build, method)


def _pages(build: Callable[P, Call[Answer]]) -> Callable[Concatenate["Client", P], Iterator[Answer]]:
    def method(self: "Client", /, *args: P.args, **kwargs: P.kwargs) -> Iterator[Answer]:
        call: Call[Answer] | None = build(*args, **kwargs).first_page()
        while call is not None:
            page = self.send(call)
            yield page
            call = call.following(page)

    return _documented_by(build, method)


def _async_method(build: Callable[P, Call[Answer]]) -> Callable[Concatenate["AsyncClient", P], Awaitable[Answer]]:
    async def method(self: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> Answer:
        return await self.send(build(*args, **kwargs))

    return _documented_by(build, method)


def _async_pages(build: Callable[P, Call[Answer]]) -> Callable[Concatenate["AsyncClient", P], AsyncIterator[Answer]]:
    async def method(self: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[Answer]:
        call: Call[Answer] | None = build(*args, **kwargs).first_page()
        while call is not None:
            page = await self.send(call)
            yield page
            call = call.following(page)

    return _documented_by(build, method)


def _documented_by(build: Callable[..., Any], method: Method) -> Method:
    """The method, with the operation's name, documentation and arguments, as `help` shows them."""
    signature = inspect.signature(build)
    self = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    method.__name__, method.__doc__ = build.__name__, build.__doc__
    method.__signature__ = signature.replace(  # type: ignore[attr-defined] # `inspect` reads it
        parameters=[self, *signature.parameters.values()], return_annotation=inspect.Signature.empty
    )
    return method


class Client:
    """The recommendation API. Thread-safe; use as a context manager, or `close` it.

    Every method raises an error of `recsys_client.errors` where the API gave no usable answer.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        timeout_s: float = 5.0,
        retries: Retries = DEFAULT_RETRIES,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """
        Args:
            base_url: of the gateway, such as `http://127.0.0.1:8000`; a path in front of `/v1` may be part of it.
            timeout_s: of each attempt: to connect, and between two parts of the answer.
            transport: what sends requests in place of the network; see `recsys_client.testing`.
            sleep: what waits between two attempts.

        Raises: ValueError, where `base_url` is no address of HTTP.
        """
        self._http = httpx.Client(
            base_url=_address(base_url),
            headers=_headers(api_key),
            timeout=timeout_s,
            transport=transport,
            follow_redirects=False,
        )
        self._retries = retries
        self._sleep = sleep

    recommend = _method(operations.recommend)
    recommend_after = _method(operations.recommend_after)
    recommendation_pages = _pages(operations.recommend)
    recommend_lists = _method(operations.recommend_lists)
    get_similar_items = _method(operations.get_similar_items)
    get_bought_together = _method(operations.get_bought_together)
    get_popular_items = _method(operations.get_popular_items)
    get_trending_items = _method(operations.get_trending_items)
    post_events = _method(operations.post_events)
    merge_session = _method(operations.merge_session)
    get_history = _method(operations.get_history)
    list_recently_viewed = _method(operations.list_recently_viewed)
    list_users = _method(operations.list_users)
    user_pages = _pages(operations.list_users)
    erase_user = _method(operations.erase_user)
    get_erasure = _method(operations.get_erasure)
    list_items = _method(operations.list_items)
    item_pages = _pages(operations.list_items)
    list_categories = _method(operations.list_categories)
    category_pages = _pages(operations.list_categories)
    get_items = _method(operations.get_items)
    get_item = _method(operations.get_item)
    put_item = _method(operations.put_item)
    patch_item = _method(operations.patch_item)
    delete_item = _method(operations.delete_item)
    change_items = _method(operations.change_items)
    get_model = _method(operations.get_model)

    def send(self, call: Call[Answer]) -> Answer:
        """Send a call of `operations`, again where that may help."""
        request = _request(self._http, call)
        attempt = 0
        while True:
            attempt += 1
            try:
                outcome: httpx.Response | httpx.RequestError = self._http.send(request)
            except httpx.RequestError as error:
                outcome = error
            wait_s = self._retries.wait_s(attempt, outcome)
            if wait_s is None:
                return _answer(call, request, outcome)
            self._sleep(wait_s)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient:
    """The same for asyncio: what `Client` returns is awaited, and its pages are iterated by `async for`."""

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        timeout_s: float = 5.0,
        retries: Retries = DEFAULT_RETRIES,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """As `Client`."""
        self._http = httpx.AsyncClient(
            base_url=_address(base_url),
            headers=_headers(api_key),
            timeout=timeout_s,
            transport=transport,
            follow_redirects=False,
        )
        self._retries = retries
        self._sleep = sleep

    recommend = _async_method(operations.recommend)
    recommend_after = _async_method(operations.recommend_after)
    recommendation_pages = _async_pages(operations.recommend)
    recommend_lists = _async_method(operations.recommend_lists)
    get_similar_items = _async_method(operations.get_similar_items)
    get_bought_together = _async_method(operations.get_bought_together)
    get_popular_items = _async_method(operations.get_popular_items)
    get_trending_items = _async_method(operations.get_trending_items)
    post_events = _async_method(operations.post_events)
    merge_session = _async_method(operations.merge_session)
    get_history = _async_method(operations.get_history)
    list_recently_viewed = _async_method(operations.list_recently_viewed)
    list_users = _async_method(operations.list_users)
    user_pages = _async_pages(operations.list_users)
    erase_user = _async_method(operations.erase_user)
    get_erasure = _async_method(operations.get_erasure)
    list_items = _async_method(operations.list_items)
    item_pages = _async_pages(operations.list_items)
    list_categories = _async_method(operations.list_categories)
    category_pages = _async_pages(operations.list_categories)
    get_items = _async_method(operations.get_items)
    get_item = _async_method(operations.get_item)
    put_item = _async_method(operations.put_item)
    patch_item = _async_method(operations.patch_item)
    delete_item = _async_method(operations.delete_item)
    change_items = _async_method(operations.change_items)
    get_model = _async_method(operations.get_model)

    async def send(self, call: Call[Answer]) -> Answer:
        """Send a call of `operations`, again where that may help."""
        request = _request(self._http, call)
        attempt = 0
        while True:
            attempt += 1
            try:
                outcome: httpx.Response | httpx.RequestError = await self._http.send(request)
            except httpx.RequestError as error:
                outcome = error
            wait_s = self._retries.wait_s(attempt, outcome)
            if wait_s is None:
                return _answer(call, request, outcome)
            await self._sleep(wait_s)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _address(base_url: str) -> httpx.URL:
    try:
        address = httpx.URL(base_url)
    except httpx.InvalidURL:
        address = httpx.URL()
    if address.scheme not in ("http", "https") or not address.host:
        raise ValueError(f"expected an address such as http://127.0.0.1:8000, found {base_url!r}")
    return address


def _headers(api_key: str | None) -> dict[str, str]:
    return {"User-Agent": "recsys-client"} | ({"Authorization": f"Bearer {api_key}"} if api_key else {})


def _request(http: httpx.Client | httpx.AsyncClient, call: Call[Answer]) -> httpx.Request:
    """Under an id of its own, the same at each attempt, so that the gateway's log shows them together."""
    headers = {"X-Request-ID": uuid.uuid4().hex}
    try:
        return http.build_request(call.method, call.path, params=call.query, json=call.body, headers=headers)
    except httpx.InvalidURL as error:
        raise ValueError(f"{call.method} {call.path}: {error}; ask for fewer ids at once") from error


def _answer(call: Call[Answer], request: httpx.Request, outcome: httpx.Response | httpx.RequestError) -> Answer:
    """Raises: RecsysError."""
    request_id = request.headers["X-Request-ID"]
    if isinstance(outcome, httpx.RequestError):
        reason = str(outcome) or type(outcome).__name__
        raise NoAnswerError(f"{call.method} {request.url}: {reason}", request_id=request_id) from outcome
    try:
        found = outcome.json()
    except ValueError:
        found = None
    if outcome.is_success:
        return decoded(call.answer, found)
    try:
        problem = decoded(Problem, found)
    except UnexpectedAnswerError:  # of a proxy in between
        problem = Problem(
            type="about:blank",
            title=outcome.reason_phrase,
            status=outcome.status_code,
            detail=outcome.text[:200],
            instance=request.url.raw_path.decode(),
            request_id=request_id,
        )
    kind = KIND_OF_STATUS.get(problem.status, ProblemError)
    raise kind(problem, retry_after_s=retry_after_s(outcome))
