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

# What an answer may fall to while a service is away, to begin with the usual; a first stage that takes long leaves the
# second no time. The store is given little of it, so a busy machine costs its part too.
BELOW = {
    "candidate-gen": {"popular_in_category", "without_rerank"},
    "reranker": {"without_rerank", "popular_in_category"},
    "valkey": {"without_live_state"},
}
ALWAYS = {"full", "without_live_state"}
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


def expect_levels(outcome: Played, service: str) -> None:
    """The fault was felt, and cost no more than it must."""
    levels = set(outcome.row.levels)
    assert levels & BELOW[service], outcome.row.line()
    assert levels <= ALWAYS | BELOW[service], outcome.row.line()


@pytest.mark.parametrize("service", BELOW)
def test_a_service_that_is_killed_costs_levels_and_no_answer(system: System, load: Load, service: str) -> None:
    expect_levels(played(faults.killed(service), system, load, service=service), service)


def test_a_gateway_that_is_killed_costs_no_more_than_asking_the_other(system: System, load: Load) -> None:
    outcome = played(faults.killed("gateway"), system, load, service="gateway")
    assert outcome.row.broken
    assert set(outcome.row.levels) <= ALWAYS, outcome.row.line()


@pytest.mark.parametrize("service", BELOW)
def test_a_service_that_stands_still_costs_levels_and_no_answer(system: System, load: Load, service: str) -> None:
    expect_levels(played(faults.paused(service), system, load, service=service, lasting_s=LASTING_S), service)


@pytest.mark.parametrize("service", BELOW)
def test_a_service_without_network_costs_levels_and_no_answer(system: System, load: Load, service: str) -> None:
    expect_levels(played(faults.cut_off(service), system, load, service=service, lasting_s=LASTING_S), service)


def test_a_store_that_is_stopped_takes_no_event_and_costs_no_list(system: System, load: Load) -> None:
    outcome = played(faults.stopped("valkey"), system, load, service="valkey", lasting_s=LASTING_S)
    expect_levels(outcome, "valkey")
    assert outcome.row.not_stored


def test_an_added_replica_takes_load(system: System, load: Load) -> None:
    outcome = played(faults.added("candidate-gen", replicas=3), system, load, service="candidate-gen")
    assert set(outcome.row.levels) <= ALWAYS, outcome.row.line()


@pytest.mark.parametrize("fault", [faults.killed, faults.stopped])
def test_one_of_three_replicas_that_dies_or_ends_costs_no_answer_and_no_level(
    system: System, load: Load, fault: Callable[[str], Fault]
) -> None:
    outcome = played(faults.one_of("candidate-gen", fault("candidate-gen")), system, load, service="candidate-gen")
    assert set(outcome.row.levels) <= ALWAYS, outcome.row.line()


def test_no_event_that_was_acknowledged_is_lost(system: System, load: Load) -> None:
    acknowledged = load.acknowledged()
    assert acknowledged
    assert system.count_lost(acknowledged) == 0
