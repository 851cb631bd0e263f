"""The scenarios of `make chaos`, in their order. Each part begins and ends with two gateways and one of all else."""

import itertools
from collections.abc import Iterator
from typing import Final

from tools.chaos import faults
from tools.chaos.play import Scenario

GATEWAYS: Final = 2
_LASTING_S: Final = 3.0
_SLOW_CORES: Final = 0.05
_SERVICES: Final = ("candidate-gen", "reranker")


def all_scenarios() -> list[Scenario]:
    """Every one."""
    return [
        Scenario("no fault", faults.nothing()),
        *_of_one_container(),
        Scenario("kill -9 one of two gateways", faults.killed("gateway"), ends_gateways=True),
        Scenario("one of two gateways stopped, 3 s", faults.stopped("gateway"), _LASTING_S, ends_gateways=True),
        Scenario("valkey's disk full, 3 s", faults.filled("/features"), _LASTING_S, stops_writes=True),
        Scenario("models' disk full, and a training", faults.training_on_a_full_disk()),
        Scenario("a truncated model goes live", faults.bad_version()),
        Scenario("a new model goes live", faults.activated(dearer=True)),
        Scenario("it is rolled back", faults.activated(dearer=False)),
        *_of_restarts(),
        *_of_replicas(),
    ]


def _of_one_container() -> Iterator[Scenario]:
    for service in (*_SERVICES, "valkey"):
        store, slowed = service == "valkey", faults.slowed(service, cores=_SLOW_CORES)
        yield Scenario(f"kill -9 {service}", faults.killed(service), stops_writes=store)
        yield Scenario(f"SIGSTOP {service}, 3 s", faults.paused(service), _LASTING_S, stops_writes=store)
        yield Scenario(f"{service} at 1/20 core, 3 s", slowed, _LASTING_S, stops_writes=store)
        yield Scenario(f"{service} without network, 3 s", faults.cut_off(service), _LASTING_S, stops_writes=store)
        yield Scenario(f"{service} stopped, 3 s", faults.stopped(service), _LASTING_S, stops_writes=store)


def _of_restarts() -> Iterator[Scenario]:
    for number, order in enumerate(itertools.permutations((*_SERVICES, "gateway"))):
        services = ("valkey", *order) if number % 2 == 0 else (*order, "valkey")
        name = f"restart {', '.join(services)}"
        yield Scenario(name, faults.restarted(services), ends_gateways=True, stops_writes=True)


def _of_replicas() -> Iterator[Scenario]:
    for service, replicas in zip(_SERVICES, (3, 2), strict=True):
        one = f"one of {replicas} {service}"
        yield Scenario(f"{service}: from 1 to {replicas}", faults.added(service, replicas=replicas))
        yield Scenario(f"kill -9 {one}", faults.one_of(service, faults.killed(service)))
        yield Scenario(f"SIGSTOP {one}, 3 s", faults.one_of(service, faults.paused(service)), _LASTING_S)
        yield Scenario(f"{one} without network, 3 s", faults.one_of(service, faults.cut_off(service)), _LASTING_S)
        yield Scenario(f"{one} stopped, 3 s", faults.one_of(service, faults.stopped(service)), _LASTING_S)
        yield Scenario(f"{service}: from {replicas} to 1", faults.one_of(service, faults.removed(service, replicas=1)))
