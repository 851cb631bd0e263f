"""What a method of ours does with a call that nobody waits for."""

import threading
import time

import grpc
import pytest
from scripted_servicer import version_1

from recsys.observability.metrics import Metrics
from recsys.rpc.method import CallError, Method, Policy, ServerLimits, check_time
from recsys.v1.model_service_pb2 import GetModelRequest, GetModelResponse

TIMEOUT_S = 20.0


class Context:
    """Of a call whose caller is there, or has left."""

    def __init__(self, *, is_active: bool) -> None:
        self._is_active = is_active

    def is_active(self) -> bool:
        return self._is_active


def policy(*, turns: int) -> Policy:
    limits = ServerLimits(1, 1, default_deadline_s=TIMEOUT_S, grace_s=TIMEOUT_S, slow_s=TIMEOUT_S)
    made = Policy(limits, Metrics().rpc)
    made.turns = threading.Semaphore(turns)
    return made


class Counted:
    """Behaviour of a method that checks its time before each of three parts."""

    def __init__(self) -> None:
        self.parts = 0

    def __call__(self, _request: GetModelRequest, context: grpc.ServicerContext) -> GetModelResponse:
        for _ in range(3):
            check_time(context)
            self.parts += 1
            context._is_active = False  # the caller leaves while the first part is worked on
        return version_1()


def carried(behaviour: Counted, context: Context, *, turns: int = 1, timeout_s: float = TIMEOUT_S) -> grpc.StatusCode:
    handler = grpc.unary_unary_rpc_method_handler(behaviour)
    with pytest.raises(CallError) as failure:
        Method("/test", handler, policy(turns=turns)).carried(
            b"", context, came_s=time.monotonic(), timeout_s=timeout_s
        )
    return failure.value.status.code


def test_a_call_whose_caller_has_left_is_not_begun() -> None:
    behaviour = Counted()
    assert carried(behaviour, Context(is_active=False)) is grpc.StatusCode.DEADLINE_EXCEEDED
    assert behaviour.parts == 0


def test_a_call_whose_caller_leaves_ends_at_its_next_check() -> None:
    behaviour = Counted()
    assert carried(behaviour, Context(is_active=True)) is grpc.StatusCode.DEADLINE_EXCEEDED
    assert behaviour.parts == 1


def test_a_call_waits_for_its_turn_no_longer_than_its_time() -> None:
    behaviour = Counted()
    code = carried(behaviour, Context(is_active=True), turns=0, timeout_s=0.05)
    assert code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert behaviour.parts == 0
