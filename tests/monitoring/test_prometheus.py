"""A real Prometheus fed by the running system: each query has data, and alerts fire by the fault that they are for."""

import re
from collections.abc import Iterator

import pytest
from needs import lacks
from prometheus import Prometheus, has_image, panels, prometheus, promtool, rules
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
        asked = 'count(up{job=~".+"} == 1)'
        running.wait_until(
            lambda: [one["value"][1] for one in running.query(asked)] == [str(len(system.ports))],
            what=lambda: running.query("up"),
        )
        use(system, rounds=2)
        scraped_twice = 'count(sum_over_time(up{job=~".+"}[1m]) >= 2)'  # a rate needs two scrapes, of every page
        running.wait_until(
            lambda: [one["value"][1] for one in running.query(scraped_twice)] == [str(len(system.ports))],
            what=lambda: running.query("sum_over_time(up[1m])"),
        )
        running.wait_until(
            lambda: all(running.query(rule["record"]) for rule in rules("recording")),
            what=lambda: [rule["record"] for rule in rules("recording") if not running.query(rule["record"])],
        )
        yield running


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
    # the load sends an event in five that is wrong, and its shoppers soon have been shown all there is
    assert watching.firing() <= {"RecsysEventsRejected", "RecsysListsNotFilled"}


def test_a_version_that_cannot_be_taken_and_a_file_that_cannot_be_used_call_somebody(
    watching: Prometheus, system: Watched
) -> None:
    live = (system.volume / "CURRENT").read_text()
    expected = {"RecsysVersionRefused", "RecsysSettingsRefused"}
    name_no_version(system)
    break_keys(system)
    try:
        watching.wait_until(lambda: expected <= watching.firing(), what=watching.firing)
    finally:
        (system.volume / "CURRENT").write_text(live)
        write_keys(system.keys)
    watching.wait_until(lambda: not expected & watching.firing(), what=watching.firing)


def test_a_dead_reranker_calls_somebody_for_the_process_for_the_circuit_and_for_what_shoppers_get(
    watching: Prometheus, system: Watched
) -> None:
    """The last test of this system."""
    system.stack.processes["reranker"].kill()
    expected = {"RecsysProcessDown", "RecsysCircuitOpen", "RecsysDegradedLists"}

    def all_fire() -> bool:
        system.rest.get("/v1/users/7/recommendations").raise_for_status()
        return expected <= watching.firing()

    watching.wait_until(all_fire, what=watching.firing)
    assert "RecsysErrors" not in watching.firing()  # answers are 200, and yet degraded


def test_prometheus_own_tool_finds_no_fault_in_the_deployed_configuration(watching: Prometheus) -> None:
    from prometheus import MONITORING

    checked = promtool("check", "rules", "rules/recording.yml", "rules/alerts.yml", folder=MONITORING)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    checked = promtool("check", "config", "--syntax-only", "prometheus.yml", folder=MONITORING)
    assert checked.returncode == 0, checked.stdout + checked.stderr
