"""The gateway's gRPC API, with TLS and keys, against whatever bytes somebody with a key can send, by every method."""

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.rpc.tls import TlsFiles, channel_credentials
from recsys.v1 import recommendation_service_pb2 as api
from tests.security.conftest import SECRETS, Closed, messages
from tests.security.hostile_messages import hostile
from tests.security.test_grpc_fuzzed import BY_DESIGN, INSIDE, TIMEOUT_S, many

METHODS = {method.name: method for method in api.DESCRIPTOR.services_by_name["RecommendationService"].methods}
REFUSALS = {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED}

Send = Callable[..., tuple[grpc.StatusCode, str]]


@pytest.fixture(scope="module")
def send(closed: Closed) -> Iterator[Send]:
    """Status of a call with these bytes, and everything said about it."""
    target = f"127.0.0.1:{closed.stack.ports.gateway_grpc}"
    with grpc.secure_channel(target, channel_credentials(TlsFiles(ca=closed.ours.file))) as channel:

        def send(method: str, raw: bytes, key: str = "everything") -> tuple[grpc.StatusCode, str]:
            call = channel.unary_unary(f"/recsys.v1.RecommendationService/{method}")
            metadata = [("authorization", f"Bearer {SECRETS[key]}")] if key else []
            try:
                call(raw, timeout=TIMEOUT_S, metadata=metadata)
            except grpc.RpcError as error:
                return error.code(), f"{error.details()} {error.trailing_metadata()}"
            return grpc.StatusCode.OK, ""

        yield send


@pytest.mark.parametrize("name", METHODS)
def test_whatever_is_sent_gets_an_answer_or_a_refusal(send: Send, closed: Closed, name: str) -> None:
    def ask(raw: bytes) -> None:
        code, said = send(name, raw)
        assert code in BY_DESIGN, (name, code, said)
        assert not INSIDE.search(said), said

    @many
    @given(data=st.data())
    def once(data: st.DataObject) -> None:
        message = data.draw(hostile(METHODS[name].input_type, strings=["popular", "item_id", "op"])).SerializeToString()
        ask(message)
        ask(message[: len(message) * 2 // 3])
        ask(data.draw(st.binary(max_size=300)))

    once()
    assert closed.stack.processes["gateway"].poll() is None
    assert not [line for line in messages(closed.logs / "gateway.log") if line["message"] == "unexpected error"]
    good: Any = api.RecommendRequest(user_id="7").SerializeToString()
    assert send("Recommend", good) == (grpc.StatusCode.OK, "")


@pytest.mark.parametrize("name", METHODS)
def test_without_a_key_nothing_is_answered(send: Send, name: str) -> None:
    ids = {field: "7" for field in ("user_id", "item_id") if field in METHODS[name].input_type.fields_by_name}
    request = getattr(api, METHODS[name].input_type.name)(**ids)
    if name == "LookUpItems":
        request.item_ids.append("7")
    assert send(name, request.SerializeToString(), key="")[0] in REFUSALS


def test_a_caller_that_does_not_speak_tls_is_not_heard(closed: Closed) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{closed.stack.ports.gateway_grpc}") as channel:
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary("/recsys.v1.RecommendationService/Recommend")(b"", timeout=TIMEOUT_S)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
