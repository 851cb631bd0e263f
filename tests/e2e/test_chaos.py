"""Containers killed, paused, cut off, stopped and added under load: nothing fails that could have been answered.

The heart of `make chaos`, with its own harness. Two gateways, so that a client of one that dies can ask the other.
"""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tools.chaos import faults
from tools.chaos.load import Load
from tools.chaos.play import Fault, Played, Scenario, play
from tools.chaos.system import System

# Levels that answers fall to while a service is unavailable: some do, or the fault was not felt.
BELOW = {
    "candidate-gen": {"popular_in_category"},
    "reranker": {"without_rerank"},
    "valkey": {"without_live_state"},
}
# A busy machine costs a few answers a level, whatever dies: every stage is given little time.
MOST_BELOW_FULL = 0.02
LASTING_S = 3.0


@pytest.fixture(scope="module")
def system(needs_docker: None) -> Iterator[System]:
    # not pytest's folder, which only its owner may enter: the trainer is another user
    with tempfile.TemporaryDirectory(prefix="recsys-chaos-") as folder, System(Path(folder), gateways=2) as running:
        yield running


@pytest.fixture(scope="module")
def load(system: System) -> Iterator[Load]:
    """Asks from the first test to the last."""
    with Load(system.shop, gateways=system.gateways, dearer=system.dearer).running() as running:
        yield running


def played(fault: Fault, system: System, load: Load, *, service: str, lasting_s: float = 0.0) -> Played:
    """What came of a fault of a service; nothing failed, and in the end all was well again."""
    ends_gateways, stops_writes = service == "gateway", service == "valkey"
    scenario = Scenario(service, fault, lasting_s, ends_gateways=ends_gateways, stops_writes=stops_writes)
    outcome = play(scenario, system, load)
    assert outcome.row.asked
    assert outcome.wrong == []
    return outcome


def expect_felt(outcome: Played, service: str) -> None:
    """There were answers of a level that says that the service was unavailable."""
    assert BELOW[service] & set(outcome.row.levels), outcome.row.line()


def expect_full(outcome: Played) -> None:
    """What went wrong cost no level."""
    levels = outcome.row.levels
    assert levels.total() - levels["full"] <= MOST_BELOW_FULL * levels.total(), outcome.row.line()


@pytest.mark.parametrize("service", BELOW)
def test_a_service_that_is_killed_costs_levels_and_no_answer(system: System, load: Load, service: str) -> None:
    expect_felt(played(faults.killed(service), system, load, service=service), service)


def test_a_gateway_that_is_killed_costs_no_more_than_asking_the_other(system: System, load: Load) -> None:
    outcome = played(faults.killed("gateway"), system, load, service="gateway")
    assert outcome.row.broken
    expect_full(outcome)


@pytest.mark.parametrize("service", BELOW)
def test_a_service_that_stands_still_costs_levels_and_no_answer(system: System, load: Load, service: str) -> None:
    expect_felt(played(faults.paused(service), system, load, service=service, lasting_s=LASTING_S), service)


@pytest.mark.parametrize("service", BELOW)
def test_a_service_without_network_costs_levels_and_no_answer(system: System, load: Load, service: str) -> None:
    expect_felt(played(faults.cut_off(service), system, load, service=service, lasting_s=LASTING_S), service)


def test_a_store_that_is_stopped_takes_no_event_and_costs_no_list(system: System, load: Load) -> None:
    outcome = played(faults.stopped("valkey"), system, load, service="valkey", lasting_s=LASTING_S)
    expect_felt(outcome, "valkey")
    assert outcome.row.not_stored


def test_an_added_replica_takes_load(system: System, load: Load) -> None:
    outcome = played(faults.added("candidate-gen", replicas=3), system, load, service="candidate-gen")
    expect_full(outcome)


@pytest.mark.parametrize("fault", [faults.killed, faults.stopped])
def test_one_of_three_replicas_that_dies_or_ends_costs_no_answer_and_no_level(
    system: System, load: Load, fault: Callable[[str], Fault]
) -> None:
    outcome = played(faults.one_of("candidate-gen", fault("candidate-gen")), system, load, service="candidate-gen")
    expect_full(outcome)


def test_no_event_that_was_acknowledged_is_lost(system: System, load: Load) -> None:
    acknowledged = load.acknowledged()
    assert acknowledged
    assert system.count_lost(acknowledged) == 0
