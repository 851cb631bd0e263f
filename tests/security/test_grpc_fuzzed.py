"""Both gRPC services as real processes against whatever bytes a client can send, by every method that they have.

The client has a certificate: it is one of ours that went mad, or was taken over. Methods are read from the processes
themselves (server reflection), so a new one is fuzzed from its first day.
"""

import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any, Final

import grpc
import pytest
from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys.rpc.requests import MAX_MESSAGE_BYTES
from recsys.rpc.tls import channel_credentials
from tests.security.conftest import Closed, messages
from tests.security.hostile_messages import hostile

SERVICES: Final = ("candidate_gen", "reranker")
TIMEOUT_S: Final = 20.0
MOST_GROWTH_MIB: Final = 200
_TRIES: Final = 3
OURS: Final = "recsys."
# What only somebody who saw the inside could know.
INSIDE: Final = re.compile(
    r"Traceback|File \"|\.py\b|site-packages|numpy|faiss|pyarrow|/tmp/|/work/|0x[0-9a-f]{6,}|Exception|Error:|std::"
)
BY_DESIGN: Final = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.UNIMPLEMENTED,
}
DESIGNED_CODES: Final = {code.value[0] for code in BY_DESIGN}

many = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


@dataclass(frozen=True)
class Target:
    """One service: a channel without limits of its own, and the methods that it says it has."""

    name: str
    channel: grpc.Channel
    methods: list[MethodDescriptor]

    def path(self, method: MethodDescriptor) -> str:
        return f"/{method.containing_service.full_name}/{method.name}"

    def ours(self) -> list[MethodDescriptor]:
        return [method for method in self.methods if method.full_name.startswith(OURS)]

    def send(self, path: str, sent: list[bytes], *, streaming: bool) -> tuple[grpc.StatusCode, str, list[bytes]]:
        """Status, everything said about it, and the answers, of a call with these bytes as its messages.

        A server ends each connection after ten seconds, and a call may be in its way: then it is made again, as any
        client of ours makes it.
        """
        for _ in range(_TRIES - 1):
            found = self._send_once(path, sent, streaming=streaming)
            if found[0] is not grpc.StatusCode.UNAVAILABLE or "max_age" not in found[1]:
                return found
        return self._send_once(path, sent, streaming=streaming)

    def _send_once(self, path: str, sent: list[bytes], *, streaming: bool) -> tuple[grpc.StatusCode, str, list[bytes]]:
        try:
            if streaming:
                call = self.channel.stream_stream(path)(iter(sent), timeout=TIMEOUT_S)
                return grpc.StatusCode.OK, "", list(call)
            return grpc.StatusCode.OK, "", [self.channel.unary_unary(path)(sent[0], timeout=TIMEOUT_S)]
        except grpc.RpcError as error:
            said = f"{error.details()} {error.trailing_metadata()}"
            return error.code(), said, []

    def fuzz(self, method: MethodDescriptor, sent: list[bytes]) -> None:
        """Call the method with these messages; it may refuse them, but neither fail nor tell of its inside."""
        is_stream = method.client_streaming or method.server_streaming
        code, said, answers = self.send(self.path(method), sent, streaming=is_stream)
        assert code in BY_DESIGN, (self.path(method), code, said)
        assert not INSIDE.search(said), said
        for answer in answers:
            self._check_carried(method, answer)

    @staticmethod
    def _check_carried(method: MethodDescriptor, answer: bytes) -> None:
        """A call stream answers for other methods: each of its answers has a status of its own."""
        response: Any = GetMessageClass(method.output_type).FromString(answer)
        for carried in getattr(response, "answers", ()):
            assert carried.code in DESIGNED_CODES, carried
            assert not INSIDE.search(carried.message), carried


@pytest.fixture(scope="module", params=SERVICES)
def target(request: pytest.FixtureRequest, closed: Closed) -> Iterator[Target]:
    address = f"127.0.0.1:{getattr(closed.stack.ports, request.param)}"
    unlimited = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    with grpc.secure_channel(address, channel_credentials(closed.client(closed.ours)), options=unlimited) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        pool = DescriptorPool(database)
        services = [pool.FindServiceByName(name) for name in database.get_services()]
        yield Target(request.param, channel, [method for service in services for method in service.methods])


@pytest.fixture(autouse=True)
def unharmed(target: Target, closed: Closed) -> Iterator[None]:
    """Whatever a test did: the process lives, is healthy, grew little, and answers as before."""
    process = closed.stack.processes[target.name]
    before = good_answers(target)
    memory = resident_mib(process.pid)
    yield
    assert process.poll() is None
    assert good_answers(target) == before
    assert resident_mib(process.pid) - memory < MOST_GROWTH_MIB


def good_answers(target: Target) -> list[bytes]:
    """The health, and of each unary method the answer to a request that asks for little."""
    code, said, health = target.send("/grpc.health.v1.Health/Check", [b""], streaming=False)
    assert (code, health) == (grpc.StatusCode.OK, [b"\x08\x01"]), said  # SERVING
    answers = health
    for method in target.ours():
        if not method.client_streaming:
            request = good(method.input_type)
            code, said, answer = target.send(target.path(method), [request.SerializeToString()], streaming=False)
            assert code in (grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT), said
            answers += answer
    assert len(answers) > 2
    return answers


def good(descriptor: Descriptor) -> Message:
    request = GetMessageClass(descriptor)()
    for name, value in (("user_id", "7"), ("item_id", "7"), ("count", 5), ("page_size", 5)):
        if name in descriptor.fields_by_name:
            setattr(request, name, value)
    return request


def resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) / 1024


def test_the_methods_are_all_found(target: Target) -> None:
    found = {target.path(method) for method in target.ours()}
    assert "/recsys.v1.ModelService/GetModel" in found
    assert len(found) >= 3
    assert "/grpc.health.v1.Health/Check" in {target.path(method) for method in target.methods}


def test_random_bytes_are_refused(target: Target) -> None:
    @many
    @given(sent=st.lists(st.binary(max_size=300), min_size=1, max_size=3), data=st.data())
    def ask(sent: list[bytes], data: st.DataObject) -> None:
        target.fuzz(data.draw(st.sampled_from(target.ours())), sent)

    ask()


def repeat(ask: Callable[[st.DataObject, MethodDescriptor], None], method: MethodDescriptor) -> None:
    """Ask the method many times, each time with other data."""

    @many
    @given(data=st.data())
    def once(data: st.DataObject) -> None:
        ask(data, method)

    once()


def test_a_valid_message_with_hostile_values_gets_an_answer_or_a_refusal(target: Target) -> None:
    paths = [target.path(method) for method in target.ours()]

    def ask(data: st.DataObject, method: MethodDescriptor) -> None:
        inner = data.draw(hostile(data.draw(st.sampled_from(target.ours())).input_type)).SerializeToString()
        kind = hostile(method.input_type, strings=paths, raw=[inner])
        sent = data.draw(st.lists(kind, min_size=1, max_size=3 if method.client_streaming else 1))
        target.fuzz(method, [message.SerializeToString() for message in sent])

    for method in target.ours():
        repeat(ask, method)


def test_another_method_s_message_is_no_crash(target: Target) -> None:
    def ask(data: st.DataObject, method: MethodDescriptor) -> None:
        other = data.draw(st.sampled_from(target.methods))
        target.fuzz(method, [data.draw(hostile(other.input_type)).SerializeToString()])
        cut = data.draw(hostile(method.input_type)).SerializeToString()
        target.fuzz(method, [cut[: len(cut) * 2 // 3]])

    for method in target.ours():
        repeat(ask, method)


def test_a_message_above_the_limit_is_refused_however_long(target: Target) -> None:
    for method in target.ours():
        is_stream = method.client_streaming or method.server_streaming
        for size in (MAX_MESSAGE_BYTES + 1, 16 * MAX_MESSAGE_BYTES):
            code, said, _ = target.send(target.path(method), [bytes(size)], streaming=is_stream)
            assert code is grpc.StatusCode.RESOURCE_EXHAUSTED, (target.path(method), size, said)


def test_a_message_as_long_as_the_limit_is_no_crash(target: Target) -> None:
    for method in target.ours():
        # one unknown field that fills it; and as many empty parts as fit
        filled = b"\xfa\x3f" + _varint(MAX_MESSAGE_BYTES - 10) + bytes(MAX_MESSAGE_BYTES - 10)
        target.fuzz(method, [filled])
        for field in (1, 2, 3, 5):
            target.fuzz(method, [bytes([field << 3 | 2, 0]) * (MAX_MESSAGE_BYTES // 2 - 1)])


def _varint(value: int) -> bytes:
    encoded = b""
    while value > 127:
        encoded += bytes([value & 127 | 128])
        value >>= 7
    return encoded + bytes([value])


@pytest.mark.parametrize(
    "path",
    [
        "/recsys.v1.ModelService/None",
        "/recsys.v1.None/GetModel",
        "/recsys.v1.ModelService/",
        "/",
        "/" + "x" * 5000,
        "/recsys.v1.ModelService/../GetModel",
        "/recsys.v1.ModelService/GetModel/GetModel",
    ],
)
def test_a_method_that_is_not_there_is_unimplemented(target: Target, path: str) -> None:
    for streaming in (False, True):
        code, said, _ = target.send(path, [b""], streaming=streaming)
        assert code is grpc.StatusCode.UNIMPLEMENTED
        assert not INSIDE.search(said)


def test_methods_that_are_not_ours_survive_garbage(target: Target) -> None:
    @many
    @given(sent=st.lists(st.binary(max_size=100), min_size=1, max_size=2), data=st.data())
    def ask(sent: list[bytes], data: st.DataObject) -> None:
        others = [method for method in target.methods if method not in target.ours() and not method.server_streaming]
        method = data.draw(st.sampled_from(others))
        _, said, _ = target.send(target.path(method), sent, streaming=False)
        assert not INSIDE.search(said.replace("Exception deserializing request!", "")), said  # grpc's own words

    ask()


def test_streams_that_are_left_half_open_take_nothing_from_other_callers(target: Target) -> None:
    streaming = [method for method in target.ours() if method.client_streaming]
    assert streaming
    done = Event()

    def nothing() -> Iterator[bytes]:
        done.wait(TIMEOUT_S)
        yield from ()

    calls = [
        target.channel.stream_stream(target.path(method))(nothing(), timeout=TIMEOUT_S)
        for method in streaming
        for _ in range(200)  # more than a server has threads for
    ]
    try:
        good_answers(target)
        code, said, _ = target.send(target.path(streaming[0]), [b""], streaming=True)
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED, said  # there are so many; but it is answered
    finally:
        done.set()
        for call in calls:
            call.cancel()


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 500, b"\x16\x03\x01" * 400]
)
def test_what_is_no_grpc_at_all_is_hung_up_on_or_ignored(target: Target, closed: Closed, sent: bytes) -> None:
    address = ("127.0.0.1", getattr(closed.stack.ports, target.name))
    connections = [socket.create_connection(address, timeout=TIMEOUT_S) for _ in range(20)]
    for connection in connections:
        connection.sendall(sent)
    good_answers(target)
    for connection in connections:
        connection.close()


def test_nothing_went_wrong_inside(target: Target, closed: Closed) -> None:
    log = closed.logs / f"{target.name}.log"
    assert [line["message"] for line in messages(log) if line.get("message") == "unexpected error"] == []
    assert "Segmentation" not in log.read_text(errors="replace")
