"""A real Prometheus fed by the running system: each query has data, and alerts fire by the fault that they are for."""

import re
from collections.abc import Iterator

import pytest
from needs import lacks
from prometheus import MONITORING, Prometheus, has_image, panels, prometheus, promtool, rules
from waiting import until
from watched_system import Watched, break_keys, name_no_version, use, write_keys

from tools.local_stack import Ports

LIMIT = re.compile(r"(?P<query>.+) (?P<comparison>[<>]) (?P<limit>[\d.]+)")
ONLY_WHILE_IT_IS_WRONG = {"RecsysVersionRefused"}  # there is no series while all is well: its fault is a test below


@pytest.fixture(scope="module")
def watching(system: Watched, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """After some scrapes with a load between them."""
    if not has_image():
        lacks("docker does not answer, or has no image of Prometheus")
    with prometheus(tmp_path_factory.mktemp("prometheus"), port=Ports.free().gateway, pages=system.ports) as running:
        wait_for_all(running, 'up{job=~".+"} == 1', system)
        use(system, rounds=2)
        # a rate needs two scrapes, of every page
        wait_for_all(running, 'sum_over_time(up{job=~".+"}[1m]) >= 2', system)
        until(
            lambda: [rule["record"] for rule in rules("recording") if not running.query(rule["record"])],
            lambda silent: silent == [],
        )
        yield running


def wait_for_all(running: Prometheus, query: str, system: Watched) -> None:
    """Until it holds of the page of every process."""
    until(lambda: running.query(query), lambda found: len(found) == len(system.ports))


def query_of(alert: dict[str, str]) -> str:
    """What an alert compares with its limit."""
    found = LIMIT.fullmatch(alert["expr"])
    assert found, alert["expr"]
    return found["query"]


def test_every_panel_s_query_returns_data(watching: Prometheus) -> None:
    assert [name for name, query in panels() if not watching.query(query)] == []


def test_every_recording_rule_s_query_returns_data(watching: Prometheus) -> None:
    assert [rule["record"] for rule in rules("recording") if not watching.query(rule["expr"])] == []


def test_every_alert_compares_something_that_there_is_with_its_limit(watching: Prometheus) -> None:
    silent = {alert["alert"] for alert in rules("alerts") if not watching.query(query_of(alert))}
    assert silent - {"RecsysCoverageFell"} == ONLY_WHILE_IT_IS_WRONG  # that one compares with an hour ago


def test_nothing_that_calls_somebody_fires_while_all_is_well(watching: Prometheus) -> None:
    # the load sends an event in five that is wrong, its shoppers soon have been shown all there is, and of so few
    # requests one that a busy machine is late with is more than a hundredth
    assert watching.firing() <= {"RecsysEventsRejected", "RecsysListsNotFilled", "RecsysSlow"}


def test_a_version_that_cannot_be_taken_and_a_file_that_cannot_be_used_call_somebody(
    watching: Prometheus, system: Watched
) -> None:
    live = (system.volume / "CURRENT").read_text()
    expected = {"RecsysVersionRefused", "RecsysSettingsRefused"}
    name_no_version(system)
    break_keys(system)
    try:
        until(watching.firing, lambda firing: expected <= firing)
    finally:
        (system.volume / "CURRENT").write_text(live)
        write_keys(system.keys)
    until(watching.firing, lambda firing: not expected & firing)


def test_a_dead_reranker_calls_somebody_for_the_process_for_the_circuit_and_for_what_shoppers_get(
    watching: Prometheus, system: Watched
) -> None:
    """The last test of this system."""
    system.stack.processes["reranker"].kill()
    expected = {"RecsysProcessDown", "RecsysCircuitOpen", "RecsysDegradedLists"}

    def firing() -> set[str]:
        system.rest.get("/v1/users/7/recommendations").raise_for_status()
        return watching.firing()

    until(firing, lambda found: expected <= found)
    assert "RecsysErrors" not in watching.firing()  # answers are 200, and yet degraded


def test_prometheus_own_tool_finds_no_fault_in_the_deployed_configuration(watching: Prometheus) -> None:
    checked = promtool("check", "rules", "rules/recording.yml", "rules/alerts.yml", folder=MONITORING)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    checked = promtool("check", "config", "--syntax-only", "prometheus.yml", folder=MONITORING)
    assert checked.returncode == 0, checked.stdout + checked.stderr
