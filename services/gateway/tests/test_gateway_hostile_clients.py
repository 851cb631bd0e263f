"""Clients that send without end, or from another page's script: real sockets against the real server."""

import asyncio
import socket
import threading
from collections.abc import Iterator

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request
from prometheus_client import generate_latest

from gateway.app import create_app
from gateway.http import problems
from gateway.http.access import Access
from gateway.http.body_limit import BodyLimitMiddleware
from gateway.http.http_protocol import MAX_HEAD_BYTES, BoundedHttp
from gateway.http.metrics import GatewayMetrics
from gateway.http.request_context import RequestContextMiddleware
from gateway.lists.popular_list import PopularList

PATIENCE_S = 60.0
WITHIN_S = 1.0  # for who is slow; on a busy machine a good client may well take some tenths
SHOP_PAGE = "https://shop.example"


class Impatient(BoundedHttp):
    arrives_within_s = WITHIN_S


def small_app(metrics: GatewayMetrics) -> FastAPI:
    """One route that reads its body and one that does not."""
    app = FastAPI()

    @app.post("/read")
    async def read(request: Request) -> int:
        return len(await request.body())

    @app.post("/ignore")
    async def ignore() -> str:
        return "ok"

    app.add_middleware(BodyLimitMiddleware, max_body_bytes=1024, arrives_within_s=WITHIN_S)
    app.add_middleware(RequestContextMiddleware, metrics=metrics)
    problems.install(app)
    return app


@pytest.fixture
def metrics() -> GatewayMetrics:
    return GatewayMetrics()


@pytest.fixture
def port(metrics: GatewayMetrics) -> Iterator[int]:
    """Of the small application, served from a thread."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(small_app(metrics), http=Impatient, ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])), daemon=True)
    thread.start()
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join()


class Connection:
    """Bytes out, bytes in."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def rest(self) -> bytes:
        """All that comes until the other end closes, which it must."""
        received = b""
        try:
            while data := self.socket.recv(65_536):
                received += data
        except ConnectionResetError:
            pass
        return received


@pytest.fixture
def connection(port: int) -> Iterator[Connection]:
    connection = Connection(port)
    yield connection
    connection.socket.close()


HEAD = b"POST /%s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"


@pytest.mark.parametrize("sent", [b"", b"GE", b"GET /read HTTP/1.1\r\nHost: a\r\nX: "])
def test_a_head_that_does_not_end_is_not_waited_for(connection: Connection, sent: bytes) -> None:
    connection.send(sent)
    assert connection.rest().startswith(b"HTTP/1.1 408 ")


def test_a_second_head_that_does_not_end_is_not_waited_for_either(connection: Connection) -> None:
    connection.send((HEAD % (b"ignore", 0)) + b"GET /rea")
    answers = connection.rest()
    assert answers.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 408 " in answers


def test_a_head_without_end_is_refused_before_it_fills_the_memory(connection: Connection) -> None:
    connection.send(b"GET /read HTTP/1.1\r\nHost: a\r\n")
    try:
        for _ in range(1000):  # 64 MB, if they were taken
            connection.send(b"X-Long: " + b"x" * MAX_HEAD_BYTES + b"\r\n")
    except ConnectionError:
        return  # closed in between
    pytest.fail("a head of 64 MB was taken")


def test_a_body_that_comes_a_byte_at_a_time_is_answered_with_408_and_the_connection_closed(
    connection: Connection,
) -> None:
    connection.send(HEAD % (b"read", 100) + b"a")
    answer = connection.rest()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"body: expected within 1 seconds" in answer
    assert b"application/problem+json" in answer


@pytest.mark.parametrize("at_once", [True, False], ids=["at_once", "byte_by_byte"])
@pytest.mark.parametrize(
    "body",
    [b"Content-Length: 4\r\n\r\nabcd", b"Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n"],
    ids=["length", "chunked"],
)
def test_a_request_that_offers_another_protocol_keeps_its_body(
    connection: Connection, body: bytes, at_once: bool
) -> None:
    offer = (
        b"Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAEAAEAA\r\nUpgrade: h2c\r\n"  # as Java's HttpClient
    )
    request = b"POST /read HTTP/1.1\r\nHost: a\r\n" + offer + body
    for sent in [request] if at_once else [request[n : n + 1] for n in range(len(request))]:
        connection.send(sent)
    connection.send(b"GET /read HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    first, second = connection.rest().split(b"HTTP/1.1 ")[1:]
    assert first.startswith(b"200 ")
    assert first.endswith(b"\r\n\r\n4")
    assert second.startswith(b"405 ")


@pytest.mark.parametrize(
    "sent",
    [
        b"hello\r\n\r\n",
        b"BREW /read HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /M\xc3\xbcller HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: four\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
    ],
    ids=["no_http", "no_method", "not_ascii", "space", "length", "tls"],
)
def test_what_is_no_request_is_refused_with_a_problem(connection: Connection, sent: bytes) -> None:
    connection.send(sent)
    head, body = connection.rest().split(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/problem+json" in head
    problem = problems.Problem.model_validate_json(body)
    assert problem.detail.startswith("expected a request of HTTP/1.1, found what cannot be read as one")


def test_a_body_that_nobody_reads_does_not_keep_the_connection(connection: Connection) -> None:
    connection.send(HEAD % (b"ignore", 100) + b"a")
    assert connection.rest().startswith(b"HTTP/1.1 200 ")


def test_a_slow_client_holds_up_nobody_else(port: int, connection: Connection) -> None:
    slow = [Connection(port) for _ in range(50)]
    for each in slow:
        each.send(HEAD % (b"read", 100) + b"a")
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as client:
        assert client.post("/read", content=b"abc").json() == 3
    for each in slow:
        assert each.rest().startswith(b"HTTP/1.1 408 ")
        each.socket.close()


def test_requests_on_one_connection_after_each_other_are_all_answered(port: int) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as client:
        assert [client.post("/read", content=b"a" * size).json() for size in range(50)] == list(range(50))
        assert client.post("/read", content=b"a" * 1025).status_code == 413


def test_a_client_that_goes_unavailable_in_the_middle_is_no_error_of_ours(
    connection: Connection, port: int, metrics: GatewayMetrics, caplog: pytest.LogCaptureFixture
) -> None:
    connection.send(HEAD % (b"read", 100) + b"a")
    connection.socket.close()
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as client:
        client.post("/read", content=b"abc")
    assert b'status="500"' not in generate_latest(metrics.registry)
    assert not [record for record in caplog.records if record.exc_info]


def test_requests_are_counted_by_operation_and_status(port: int, metrics: GatewayMetrics) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as client:
        for method, path in (("POST", "/read"), ("POST", "/read"), ("GET", "/read"), ("GET", "/nowhere/1")):
            client.request(method, path)
    page = generate_latest(metrics.registry).decode()
    counts = {
        line.split(" ")[0].partition("{")[2]: line.split(" ")[1]
        for line in page.splitlines()
        if line.startswith("recsys_http_request_latency_seconds_count{")
    }
    assert counts == {
        'operation="read",status="200"}': "2.0",
        'operation="",status="405"}': "1.0",
        'operation="",status="404"}': "1.0",
    }


def with_cors(app: FastAPI, **settings: object) -> FastAPI:
    """The same application, which lets scripts of the shop's page call."""
    return create_app(
        app.state.parts.settings.model_copy(update={"cors_origins": [SHOP_PAGE], **settings}),
        app.state.parts.clients,
        app.state.parts.live,
        guard=Access(),
        metrics=GatewayMetrics(),
        popular=PopularList(),
    )


def calling(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway")


@pytest.mark.anyio
async def test_no_other_page_s_script_may_call_unless_it_is_named(app: FastAPI, client: httpx.AsyncClient) -> None:
    asks = {"Origin": SHOP_PAGE, "Access-Control-Request-Method": "POST"}
    refused = await client.options("/v1/recommendations", headers=asks)
    answered = await client.get("/healthz", headers={"Origin": SHOP_PAGE})
    assert refused.status_code == 405
    assert not [name for response in (refused, answered) for name in response.headers if "access-control" in name]

    async with calling(with_cors(app)) as client:
        allowed = await client.options("/v1/recommendations", headers=asks)
        other = await client.options("/v1/recommendations", headers=asks | {"Origin": "https://other.example"})
    assert (allowed.status_code, allowed.headers["Access-Control-Allow-Origin"]) == (200, SHOP_PAGE)
    assert "Access-Control-Allow-Credentials" not in allowed.headers
    assert "Access-Control-Allow-Origin" not in other.headers


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/v1/users/u/recommendations", None, 200),  # answered by the quick routes
        ("POST", "/v1/recommendations", {}, 200),
        ("GET", "/v1/users/u/recommendations?count=3&count=3", None, 200),  # by the documented ones
        ("POST", "/v1/recommendations", {"count": 0}, 422),
        ("GET", "/v1/items/missing", None, 404),
    ],
)
async def test_the_named_page_s_script_may_read_every_answer_and_its_request_id(
    app: FastAPI, method: str, path: str, body: object, status: int
) -> None:
    async with calling(with_cors(app)) as client:
        answer = await client.request(method, path, json=body, headers={"Origin": SHOP_PAGE})
    assert answer.status_code == status
    assert answer.headers["Access-Control-Allow-Origin"] == SHOP_PAGE
    assert answer.headers["Access-Control-Expose-Headers"] == "X-Request-ID, Retry-After"
    assert answer.headers["X-Request-ID"]


@pytest.mark.anyio
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_a_foreign_page_s_script_changes_nothing_without_asking_unless_it_is_named(
    app: FastAPI, client: httpx.AsyncClient, received: list[object], site: str
) -> None:
    """A text body needs no question before it, so the browser sends it whatever the gateway would have said."""
    of_page = {"Sec-Fetch-Site": site, "Origin": SHOP_PAGE, "Content-Type": "text/plain"}
    for path in ("/v1/events", "/v1/recommendations"):
        refused = await client.post(path, content=b"{}", headers=of_page)
        assert (refused.status_code, SHOP_PAGE in refused.json()["detail"]) == (403, True)
    assert (await client.delete("/v1/users/anna", headers=of_page)).status_code == 403
    assert received == []
    assert (await client.get("/v1/users/u/recommendations", headers=of_page)).status_code == 200

    async with calling(with_cors(app)) as client:
        named = await client.post(
            "/v1/recommendations", json={}, headers=of_page | {"Content-Type": "application/json"}
        )
        other = await client.post("/v1/events", content=b"{}", headers=of_page | {"Origin": "https://other.example"})
        nameless = await client.post("/v1/events", content=b"{}", headers={"Sec-Fetch-Site": site})
    assert (named.status_code, other.status_code, nameless.status_code) == (200, 403, 403)


@pytest.mark.anyio
@pytest.mark.parametrize("site", [{}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}])
async def test_its_own_page_and_whoever_is_no_browser_may_post(client: httpx.AsyncClient, site: dict[str, str]) -> None:
    assert (await client.post("/v1/recommendations", json={}, headers=site)).status_code == 200


@pytest.mark.anyio
async def test_the_named_page_s_script_may_read_that_it_is_to_come_back_later(app: FastAPI) -> None:
    async with calling(with_cors(app, max_in_flight=0)) as client:
        refused = await client.post("/v1/recommendations", json={}, headers={"Origin": SHOP_PAGE})
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    assert refused.headers["Access-Control-Allow-Origin"] == SHOP_PAGE


@pytest.mark.anyio
async def test_no_browser_guesses_a_content_type_and_no_header_names_the_server(client: httpx.AsyncClient) -> None:
    for path in ("/healthz", "/v1/items/missing", "/nowhere"):
        response = await client.get(path)
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "Server" not in response.headers
