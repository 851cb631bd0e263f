"""The client's requests as the gateway sees them, and every failure as a sentence."""

from collections.abc import Callable

import httpx
import pytest

from ui.gateway_client import GatewayClient, GatewayError

Answer = Callable[[httpx.Request], httpx.Response]


def client(answer: Answer) -> GatewayClient:
    return GatewayClient(httpx.Client(base_url="http://gateway", transport=httpx.MockTransport(answer)))


def failing_with(error: Exception) -> Answer:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error

    return answer


@pytest.mark.parametrize(
    ("item_id", "segment"),
    [
        ("85123A", "85123A"),
        ("a/b", "a%2Fb"),
        ("50%", "50%25"),
        ("what?#", "what%3F%23"),
        ("..", "%2E%2E"),
        ("Größe 4", "Gr%C3%B6%C3%9Fe%204"),
    ],
)
def test_an_id_is_one_path_segment_whatever_its_characters(item_id: str, segment: str) -> None:
    sent: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.url.raw_path)
        return httpx.Response(404)

    with pytest.raises(GatewayError):
        client(answer).item(item_id)
    assert sent == [f"/v1/items/{segment}".encode()]


def test_what_is_not_asked_for_is_not_sent() -> None:
    sent: list[httpx.QueryParams] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.url.params)
        return httpx.Response(200, json={"items": [], "next_cursor": None})

    client(answer).search(query="heart", category="", page_size=24, cursor="")
    assert dict(sent[0]) == {"query": "heart", "page_size": "24"}


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            httpx.ConnectError("refused"),
            "The recommendation service at http://gateway cannot be reached. Is it running?",
        ),
        (httpx.ReadTimeout("slow"), "The recommendation service took too long to answer. Please try again."),
        (httpx.ReadError("reset"), "The connection to the recommendation service broke off. Please try again."),
    ],
)
def test_a_failing_connection_becomes_a_sentence(error: Exception, sentence: str) -> None:
    with pytest.raises(GatewayError) as raised:
        client(failing_with(error)).model()
    assert raised.value.sentence == sentence


@pytest.mark.parametrize(
    ("response", "sentence"),
    [
        (httpx.Response(404, json={"detail": "no item 'x' in the model"}), "No item 'x' in the model."),
        (httpx.Response(422, json={"title": "Invalid request"}), "Invalid request."),
        (
            httpx.Response(503, json={"detail": "no model is loaded yet"}),
            "Recommendations are not available at the moment: no model is loaded yet.",
        ),
        (
            httpx.Response(502, text="<html>Bad Gateway</html>"),
            "The recommendation service answered 502 Bad Gateway without saying why.",
        ),
    ],
)
def test_a_refusal_becomes_a_sentence(response: httpx.Response, sentence: str) -> None:
    with pytest.raises(GatewayError) as raised:
        client(lambda _: response).model()
    assert raised.value.sentence == sentence


@pytest.mark.parametrize("body", ["not JSON", "[]", '{"items": 3}'])
def test_an_answer_of_another_shape_becomes_a_sentence(body: str) -> None:
    with pytest.raises(GatewayError, match="is not one that this page understands"):
        client(lambda _: httpx.Response(200, text=body)).similar("85123A", count=3)


def test_an_error_keeps_the_request_id_for_the_log() -> None:
    with pytest.raises(GatewayError) as raised:
        client(lambda _: httpx.Response(500, json={"title": "Internal error", "request_id": "r-1"})).model()
    assert raised.value.request_id == "r-1"
