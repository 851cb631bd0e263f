"""Runs on the volume over gRPC, and which of their versions is live."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest
from in_process import NEVER_S, TIMEOUT_S, failure_of, serving
from tiny_artifact import checkerboard, publish

from candidate_gen.app import create
from candidate_gen.run_servicer import RunServicer
from candidate_gen.settings import Settings
from recsys.artifact import file_rows, layout, reports, runs
from recsys.artifact.file_rows import FileRows, Reading, Rejected
from recsys.artifact.manifest import GateInfo
from recsys.artifact.mirror import Mirror
from recsys.artifact.object_store import ObjectStore
from recsys.artifact.runs import Run
from recsys.errors import InvalidArgumentError, NotActivatedError
from recsys.feature_store.follower import LiveState
from recsys.observability.metrics import Metrics
from recsys.v1.run_service_pb2 import (
    RUN_STATE_KEPT,
    RUN_STATE_LIVE,
    RUN_STATE_REMOVED,
    ActivateVersionRequest,
    GetReportRequest,
    ListRunsRequest,
)
from recsys.v1.run_service_pb2_grpc import RunServiceStub

CONTEXT: grpc.ServicerContext = None  # type: ignore[assignment] # which the methods leave alone


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """v2 is live, v1 is kept, v0 was removed."""
    gone = Run(
        version="v0",
        trained_at=datetime(2026, 1, 1, tzinfo=UTC),
        model="als",
        user_count=6,
        item_count=12,
        metrics={"recall@20": 0.25},
        users_judged=80,
        refusal="worse",
        forced=False,
    )
    runs.append(tmp_path, gone)
    for version in ("v1", "v2"):
        publish(checkerboard(), tmp_path, version=version)
    return tmp_path


def test_runs_come_newest_first_with_what_became_of_them(volume: Path) -> None:
    told = RunServicer(volume).ListRuns(ListRunsRequest(count=10), CONTEXT).runs
    states = [RUN_STATE_LIVE, RUN_STATE_KEPT, RUN_STATE_REMOVED]
    assert [(run.artifact_version, run.state) for run in told] == list(zip(["v2", "v1", "v0"], states, strict=True))
    assert (told[2].metrics["recall@20"], told[2].users_judged, told[2].refusal) == (0.25, 80, "worse")
    assert len(RunServicer(volume).ListRuns(ListRunsRequest(count=1), CONTEXT).runs) == 1
    with pytest.raises(InvalidArgumentError, match="count: expected 1 to 100, found 0"):
        RunServicer(volume).ListRuns(ListRunsRequest(), CONTEXT)


def test_what_lists_earned_by_the_log_stands_beside_their_run(volume: Path) -> None:
    clicked, bought = ({"value": value, "low": 0.0, "high": 1.0} for value in (0.5, 0.25))
    known = {"ips": bought, "snips": bought, "dr": clicked, "is_enough": True}
    orders = {"its own": {"clicked": known, "bought": known | {"is_enough": False}}}
    told = {"served": {"clicked": clicked, "bought": bought}, "orders": orders}
    (volume / layout.REPORTS / "v2.json").write_text(json.dumps({"off_policy": told}))
    (volume / layout.REPORTS / "v1.json").write_text(json.dumps({"off_policy": None}))
    (volume / layout.REPORTS / "v0.json").write_text(json.dumps({"off_policy": {"served": 1}}))  # of another release
    found = RunServicer(volume).ListRuns(ListRunsRequest(count=10), CONTEXT).runs
    assert [(one.order, one.outcome, one.value) for one in found[0].earned] == [
        (reports.AS_SERVED, "clicked", 0.5),
        (reports.AS_SERVED, "bought", 0.25),
        ("its own", "clicked", 0.5),
    ]
    assert not found[1].earned
    assert not found[2].earned


def test_the_models_of_a_report_stand_beside_its_run(volume: Path) -> None:
    figures = {"recall@20": {"value": 0.125, "low": 0.1, "high": 0.2}}
    rows = [{"name": "als", "metrics": figures}, {"name": "popularity", "metrics": figures}]
    (volume / layout.REPORTS / "v0.json").write_text(json.dumps({"models": rows}))
    (volume / layout.REPORTS / "v1.json").write_text('{"models": [')
    told = RunServicer(volume).ListRuns(ListRunsRequest(count=10), CONTEXT).runs
    assert [(one.name, dict(one.metrics)) for one in told[2].baselines] == [("popularity", {"recall@20": 0.125})]
    assert not told[1].baselines


@pytest.mark.parametrize("name", ["v1", "../reports/v0", "", "\0", "x" * 10_000], ids=lambda name: name[:15] or "empty")
def test_only_a_report_that_a_run_left_is_read(volume: Path, name: str) -> None:
    reports.path(volume, "v0").write_text("<p>of v0")
    servicer = RunServicer(volume)
    assert servicer.GetReport(GetReportRequest(artifact_version="v0"), CONTEXT).html == "<p>of v0"
    if name:
        assert not servicer.GetReport(GetReportRequest(artifact_version=name), CONTEXT).HasField("html")


def test_a_kept_version_becomes_the_live_one(volume: Path) -> None:
    RunServicer(volume).ActivateVersion(ActivateVersionRequest(artifact_version="v1"), CONTEXT)
    assert layout.current_version(volume) == "v1"


def test_what_the_gate_had_refused_is_said_when_it_is_activated(volume: Path) -> None:
    refused = GateInfo(passed=False, reasons=["failed: worse"])
    publish(checkerboard(), volume, version="v3", gate=refused)
    assert (
        RunServicer(volume).ActivateVersion(ActivateVersionRequest(artifact_version="v3"), CONTEXT).refusal == "worse"
    )


def test_runs_of_a_store_are_told_and_which_of_their_versions_it_keeps(volume: Path, tmp_path: Path) -> None:
    store = ObjectStore(f"file://{tmp_path}/store", writes=True)
    for version in ("v1", "v2"):
        runs.note(volume, version)
        store.upload(volume, version)
        store.upload_run(volume, version)
    store.activate("v2")
    elsewhere = tmp_path / "elsewhere"
    Mirror(store, elsewhere).follow()

    told = RunServicer(elsewhere, opened_store=lambda: store).ListRuns(ListRunsRequest(count=10), CONTEXT)

    assert layout.list_versions(elsewhere) == ["v2"]
    states = [(run.artifact_version, run.state) for run in told.runs]
    assert states == [("v2", RUN_STATE_LIVE), ("v1", RUN_STATE_KEPT)]


def test_a_version_that_services_would_refuse_stays_out_and_no_path_is_told(volume: Path) -> None:
    os.truncate(layout.version_dir(volume, "v1") / layout.ITEM_EMBEDDINGS, 1)
    with pytest.raises(NotActivatedError, match="services would refuse it") as raised:
        RunServicer(volume).ActivateVersion(ActivateVersionRequest(artifact_version="v1"), CONTEXT)
    assert str(volume) not in str(raised.value)
    with pytest.raises(NotActivatedError, match="no such version is kept; kept: v1, v2"):
        RunServicer(volume).ActivateVersion(ActivateVersionRequest(artifact_version="v0"), CONTEXT)
    assert layout.current_version(volume) == "v2"


def test_where_the_volume_cannot_be_written_the_command_is_named(volume: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def is_read_only(*_: object) -> None:
        raise OSError(30, "Read-only file system", "/artifacts/.lock")

    monkeypatch.setattr("recsys.artifact.writer.activate", is_read_only)
    with pytest.raises(NotActivatedError, match="recsys activate"):
        RunServicer(volume).ActivateVersion(ActivateVersionRequest(artifact_version="v1"), CONTEXT)


def test_the_service_answers_over_grpc(volume: Path) -> None:
    settings = Settings(artifact_dir=volume, poll_interval_s=NEVER_S)
    with serving(*create(settings, LiveState(), Metrics())) as channel:
        stub = RunServiceStub(channel)  # type: ignore[no-untyped-call] # generated
        assert stub.ListRuns(ListRunsRequest(count=1), timeout=TIMEOUT_S).artifact_version == "v2"
        asked = ActivateVersionRequest(artifact_version="v9")
        code, said = failure_of(lambda: stub.ActivateVersion(asked, timeout=TIMEOUT_S))
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert said == "'v9' is not made live: no such version is kept; kept: v1, v2"


def test_the_last_reading_of_the_shops_files_is_told(volume: Path) -> None:
    assert not RunServicer(volume).ListRuns(ListRunsRequest(count=1), CONTEXT).HasField("last_reading")
    rejected = Rejected(reason="item_id: missing", rows=2, hint=None)
    rows = FileRows(name="events", read=10, kept=7, ignored=1, rejected=(rejected,))
    file_rows.note(volume, Reading(read_at=datetime(2026, 1, 1, tzinfo=UTC), files=(rows,)))
    told = RunServicer(volume).ListRuns(ListRunsRequest(count=1), CONTEXT).last_reading
    assert [(one.name, one.read, one.kept, one.ignored) for one in told.files] == [("events", 10, 7, 1)]
    assert [(one.reason, one.rows, one.hint) for one in told.files[0].rejected] == [("item_id: missing", 2, "")]
