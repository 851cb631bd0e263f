"""The circuit breaker: when it opens, who may probe, what closes it."""

import asyncio
from dataclasses import dataclass, field
from typing import cast

import grpc
import pytest
from grpc import StatusCode

from gateway.breaker import Breaker
from gateway.shop.live_shop import LiveShop
from recsys.errors import StoreUnavailableError
from recsys.feature_store.interface import FeatureStore, Profile, Subject

LONGEST_PAUSE_S = 0.4


@dataclass
class Service:
    """A service behind a breaker, on a clock that the test moves."""

    now_s: float = 1000.0
    calls: int = 0
    breaker: Breaker = field(init=False)

    def __post_init__(self) -> None:
        self.breaker = Breaker("reranker", clock=lambda: self.now_s)

    def answer(self, code: StatusCode | None = None, *, timeout_s: float = 0.5) -> StatusCode | None:
        """One call that ends with this code; gives what its caller saw."""
        try:
            with self.breaker.call(timeout_s=timeout_s):
                self.calls += 1
                if code is not None:
                    raise grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata())
        except grpc.aio.AioRpcError as error:
            return error.code()
        return None

    def fail(self, times: int, code: StatusCode = StatusCode.UNAVAILABLE) -> None:
        for _ in range(times):
            self.answer(code)

    def wait_out_the_pause(self) -> None:
        self.now_s += LONGEST_PAUSE_S


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.mark.parametrize("code", [StatusCode.UNAVAILABLE, StatusCode.DEADLINE_EXCEEDED])
def test_after_five_failures_in_a_row_calls_fail_at_once(service: Service, code: StatusCode) -> None:
    service.fail(5, code)

    assert [service.answer() for _ in range(100)] == [StatusCode.UNAVAILABLE] * 100
    assert service.calls == 5


def test_four_failures_and_an_answer_count_from_the_start_again(service: Service) -> None:
    for _ in range(10):
        service.fail(4)
        assert service.answer() is None

    assert not service.breaker.is_open


@pytest.mark.parametrize(
    "code",
    sorted(
        set(StatusCode) - {StatusCode.UNAVAILABLE, StatusCode.DEADLINE_EXCEEDED, StatusCode.OK},
        key=lambda each: each.name,
    ),
)
def test_no_other_code_opens_it(service: Service, code: StatusCode) -> None:
    service.fail(100, code)

    assert service.answer() is None


def test_a_call_with_hardly_any_time_left_says_nothing_of_the_service(service: Service) -> None:
    for _ in range(100):
        service.answer(StatusCode.DEADLINE_EXCEEDED, timeout_s=0.01)

    assert not service.breaker.is_open


def test_after_the_pause_one_call_probes_while_the_others_still_fail_at_once(service: Service) -> None:
    service.fail(5)
    service.wait_out_the_pause()

    with service.breaker.call(timeout_s=0.5):
        assert [service.answer() for _ in range(10)] == [StatusCode.UNAVAILABLE] * 10

    assert service.answer() is None


def test_no_call_probes_before_the_pause_is_over(service: Service) -> None:
    service.fail(5)
    service.now_s += 0.19

    assert service.answer() is StatusCode.UNAVAILABLE
    assert service.calls == 5


def test_a_probe_that_fails_begins_another_pause(service: Service) -> None:
    service.fail(5)
    service.wait_out_the_pause()
    service.answer(StatusCode.DEADLINE_EXCEEDED)

    assert service.answer() is StatusCode.UNAVAILABLE
    assert service.calls == 6
    service.wait_out_the_pause()
    assert service.answer() is None
    assert not service.breaker.is_open


@pytest.mark.parametrize("code", [StatusCode.NOT_FOUND, StatusCode.RESOURCE_EXHAUSTED])
def test_any_answer_of_the_probe_closes_it(service: Service, code: StatusCode) -> None:
    service.fail(5)
    service.wait_out_the_pause()

    assert service.answer(code) is code
    assert service.answer() is None


def test_a_probe_whose_caller_goes_unavailable_leaves_its_place_to_the_next(service: Service) -> None:
    service.fail(5)
    service.wait_out_the_pause()

    with pytest.raises(asyncio.CancelledError), service.breaker.call(timeout_s=0.5):
        raise asyncio.CancelledError

    assert service.answer() is None


def test_a_failure_from_before_it_opened_neither_ends_the_probe_nor_lengthens_the_pause(service: Service) -> None:
    early = service.breaker.call(timeout_s=0.5)
    early.__enter__()
    service.fail(5)
    service.wait_out_the_pause()
    probe = service.breaker.call(timeout_s=0.5)
    probe.__enter__()
    late = grpc.aio.AioRpcError(StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata())
    early.__exit__(type(late), late, None)

    assert service.answer() is StatusCode.UNAVAILABLE
    probe.__exit__(None, None, None)
    assert service.answer() is None


def test_one_open_breaker_does_not_keep_calls_from_the_other_service(service: Service) -> None:
    service.fail(5)

    assert Service().answer() is None


class HangingStore:
    """A feature store that never answers."""

    asked = 0

    async def profile(self, _: Subject, *, after_sequence: int = 0) -> Profile:
        self.asked += 1
        await asyncio.Event().wait()
        raise AssertionError


@pytest.mark.anyio
async def test_a_feature_store_that_hangs_is_waited_for_five_times_and_then_no_more() -> None:
    store = HangingStore()
    live = LiveShop(store=cast(FeatureStore, store))

    for _ in range(20):
        with pytest.raises(StoreUnavailableError):
            await live.profile(Subject("user", "7"), timeout_s=0.001)

    assert store.asked == 5
