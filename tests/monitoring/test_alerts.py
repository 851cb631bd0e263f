"""Every alert fires for series as the system emits them while something is wrong, and not while it is well."""

from pathlib import Path
from typing import Final, NamedTuple

import pytest
import yaml
from needs import lacks
from prometheus import MONITORING, has_image, promtool, rules


class Case(NamedTuple):
    """Series of a sample a minute, in promtool's notation, for an hour and a half: while well, and while not."""

    well: dict[str, str]
    wrong: dict[str, str]
    at: str = "90m"


def lists(full: str, other: str, *, empty: str = "0x200", items: str = "0+600x200") -> dict[str, str]:
    return {
        'recsys_lists_total{operation="recommend",level="full"}': full,
        'recsys_lists_total{operation="recommend",level="without_rerank"}': other,
        'recsys_empty_lists_total{operation="recommend",level="full"}': empty,
        'recsys_list_items_asked_total{operation="recommend"}': "0+600x200",
        'recsys_list_items_total{operation="recommend"}': items,
    }


def requests(good: str, bad: str) -> dict[str, str]:
    name = "recsys_http_request_latency_seconds_count"
    return {
        f'{name}{{operation="recommend",status="200"}}': good,
        f'{name}{{operation="recommend",status="500"}}': bad,
    }


def latency(within: str) -> dict[str, str]:
    name = 'recsys_http_request_latency_seconds_bucket{operation="recommend",status="200",le='
    return {f'{name}"0.1"}}': within, f'{name}"0.5"}}': "0+60x200", f'{name}"+Inf"}}': "0+60x200"}


def events(rejected: str, *, unconfirmed: str = "0x200") -> dict[str, str]:
    return {
        'recsys_events_total{outcome="accepted"}': "0+60x200",
        'recsys_events_total{outcome="rejected"}': rejected,
        'recsys_events_total{outcome="unconfirmed"}': unconfirmed,
    }


def store(bad: str) -> dict[str, str]:
    name = "recsys_store_latency_seconds_count"
    return {
        f'{name}{{job="gateway",operation="profile",outcome="ok"}}': "0+60x200",
        f'{name}{{job="gateway",operation="profile",outcome="unavailable"}}': bad,
    }


def one(series: str, *, well: str, wrong: str, at: str = "90m") -> Case:
    return Case({series: well}, {series: wrong}, at)


MINUTES: Final = "0+60x200"  # a moment that is always now: promtool's clock begins at 0
CASES: Final[dict[str, Case]] = {
    "RecsysProcessDown": one('up{job="gateway",instance="a:9090"}', well="1x200", wrong="1x80 0x120"),
    "RecsysErrors": Case(requests("0+60x200", "0x200"), requests("0+60x200", "0+6x200")),
    "RecsysSlow": Case(latency("0+60x200"), latency("0+30x200")),
    "RecsysDegradedLists": Case(lists("0+60x200", "0x200"), lists("0+60x200", "0+6x200")),
    "RecsysEmptyLists": Case(lists("0+60x200", "0x200"), lists("0+60x200", "0x200", empty="0+6x200")),
    "RecsysListsNotFilled": Case(lists("0+60x200", "0x200"), lists("0+60x200", "0x200", items="0+300x200")),
    "RecsysCircuitOpen": one('recsys_circuit_open{service="reranker"}', well="0x200", wrong="0x80 1x120"),
    "RecsysEventsRejected": Case(events("0+1x200"), events("0+30x200")),
    "RecsysEventsUnconfirmed": Case(events("0x200"), events("0x200", unconfirmed="0+5x200")),
    "RecsysExposuresLost": one("recsys_exposures_dropped_total", well="0x200", wrong="0x85 5+5x100"),
    "RecsysStoreFailing": Case(store("0x200"), store("0+30x200")),
    "RecsysStreamLag": Case(
        {"recsys_stream_end": "0+9000x200", "recsys_sink_position": "0+8990x200"},
        {"recsys_stream_end": "0+9000x200", "recsys_sink_position": "100x200"},
    ),
    "RecsysSinkStuck": one("recsys_sink_looked_timestamp_seconds", well=MINUTES, wrong="4000x200"),
    "RecsysModelOld": one("recsys_model_trained_timestamp_seconds", well=MINUTES, wrong="-180000x200"),
    "RecsysTrainingRefused": one("recsys_training_refused", well="0x200", wrong="0x60 1x140"),
    "RecsysTrainingFailed": one('recsys_training_last_run_result{result="failed"}', well="0x200", wrong="0x60 1x140"),
    "RecsysVersionRefused": one('recsys_artifact_refused{job="reranker",reason="r"}', well="_x200", wrong="1x200"),
    "RecsysReplicasDisagree": Case(
        {f'recsys_artifact_held{{instance="{n}",version="v2"}}': "1x200" for n in "ab"},
        {f'recsys_artifact_held{{instance="{n}",version="v{n}"}}': "1x200" for n in "ab"},
    ),
    "RecsysArtifactStoreFailing": one(
        'recsys_artifact_store_failures_total{job="reranker",instance="a"}', well="0x200", wrong="0+1x200"
    ),
    "RecsysIndexRecallLow": Case(
        {"recsys_ann_sampled_neighbours_total": "0+200x800", "recsys_ann_found_neighbours_total": "0+198x800"},
        {"recsys_ann_sampled_neighbours_total": "0+200x800", "recsys_ann_found_neighbours_total": "0+160x800"},
    ),
    "RecsysCoverageFell": Case(
        {"recsys_shown_items": "800x400", "recsys_model_items": "1000x400"},
        {"recsys_shown_items": "800x200 200x200", "recsys_model_items": "1000x400"},
        at="300m",
    ),
    "RecsysBackgroundFailures": one(
        'recsys_background_failures_total{job="gateway",loop="exposures"}', well="0x200", wrong="0x80 0+1x100"
    ),
    "RecsysSettingsRefused": one(
        'recsys_settings_file_refused{setting="GATEWAY_API_KEYS_FILE"}', well="0x200", wrong="0x80 1x120"
    ),
}


def promtool_tests() -> str:
    """Two for each: whether `ALERTS` has it firing."""
    found = []
    for alert, case in CASES.items():
        for series, is_firing in ((case.well, False), (case.wrong, True)):
            asked = {
                "expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) or vector(0)',
                "eval_time": case.at,
                "exp_samples": [{"labels": "{}", "value": int(is_firing)}],
            }
            given = [{"series": name, "values": values} for name, values in series.items()]
            name = f"{alert}, {'wrong' if is_firing else 'well'}"
            found.append({"name": name, "interval": "1m", "input_series": given, "promql_expr_test": [asked]})
    files = [f"rules/{path.name}" for path in sorted((MONITORING / "rules").iterdir())]
    return yaml.safe_dump({"rule_files": files, "evaluation_interval": "1m", "tests": found})


def test_there_is_a_case_of_every_alert() -> None:
    assert CASES.keys() == {alert["alert"] for alert in rules("alerts")}


def test_every_alert_fires_while_something_is_wrong_and_only_then(tmp_path: Path) -> None:
    if not has_image():
        lacks("docker does not answer, or has no image of Prometheus")
    (tmp_path / "rules").mkdir()
    for path in (MONITORING / "rules").iterdir():
        (tmp_path / "rules" / path.name).write_text(path.read_text())
    (tmp_path / "alerts_test.yml").write_text(promtool_tests())
    for path in [tmp_path, *tmp_path.parents[:1], *tmp_path.rglob("*")]:
        path.chmod(0o755)
    tested = promtool("test", "rules", "alerts_test.yml", folder=tmp_path)
    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.parametrize("alert", rules("alerts"), ids=lambda alert: alert["alert"])
def test_an_alert_s_runbook_is_there(alert: dict[str, dict[str, str]]) -> None:
    path, _, anchor = alert["annotations"]["runbook_url"].partition("#")
    headings = [
        line.removeprefix("## ").strip().lower()
        for line in (MONITORING.parents[1] / path).read_text(encoding="utf-8").splitlines()
        if line.startswith("## ")
    ]
    assert headings.count(anchor) == 1
    assert anchor == str(alert["alert"]).lower()


def test_the_runbook_has_no_page_of_an_alert_that_is_gone() -> None:
    text = (MONITORING.parents[1] / "docs/runbook.md").read_text(encoding="utf-8")
    pages = {line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")}
    assert pages == {alert["alert"] for alert in rules("alerts")}
