"""All runs of a volume, and what the lists of their versions have brought."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lake_files import DAY_MS, MIDDAY_MS, write_table
from two_tastes import two_tastes
from typer.testing import CliRunner

from recsys.artifact import layout, reports, runs
from recsys.artifact.runs import Run
from recsys.errors import DataError
from recsys.lake import COMMITTED, Committed, lake_dir
from trainer.__main__ import app
from trainer.publishing import run_list
from trainer.publishing.run_list import Known
from trainer.shop_data import served
from trainer.shop_data.served import Served

NOW = datetime(2026, 7, 3, tzinfo=UTC)
MINUTE_MS = 60_000


def shown(list_id: str, version: str, *item_ids: str, **who: str) -> dict[str, object]:
    facts = {"unix_ms": MIDDAY_MS, "propensities": [1.0] * len(item_ids), "request_id": "r"}
    return {"list_id": list_id, "artifact_version": version, "item_ids": list(item_ids), **facts, **who}


def did(event_type: str, item_id: str, *, after_ms: int = MINUTE_MS, **facts: str) -> dict[str, object]:
    return {"event_type": event_type, "item_id": item_id, "unix_ms": MIDDAY_MS + after_ms, **facts}


def test_clicks_and_purchases_are_counted_by_version(tmp_path: Path) -> None:
    exposures = [
        shown("clicked and bought", "v1", "a", "b", user_id="anna"),
        shown("only shown", "v1", "c", user_id="ben"),
        shown("twice in the log", "v1", "c", user_id="ben"),
        shown("twice in the log", "v1", "c", user_id="ben"),
        shown("of a session that became a user", "v2", "d", session_id="s"),
        shown("to nobody", "v2", "a"),
    ]
    events = [
        did("view", "a", user_id="anna", list_id="clicked and bought"),
        did("purchase", "b", user_id="anna"),
        did("purchase", "d", after_ms=2 * DAY_MS, user_id="cleo"),
    ]
    no_clicks = [
        did("view", "z", user_id="anna", list_id="only shown"),  # somebody else, and no item of the list
        did("remove", "c", user_id="ben", list_id="only shown"),
        did("purchase", "c", after_ms=8 * DAY_MS, user_id="ben"),  # too late
    ]
    lake = lake_dir(tmp_path)
    parts = write_table(lake, "exposures", exposures) | write_table(lake, "events", events + no_clicks)
    merges: list[dict[str, object]] = [{"sequence": 9, "session_id": "s", "user_id": "cleo", "unix_ms": MIDDAY_MS}]
    parts |= write_table(lake, "merges", merges)
    (lake / COMMITTED).write_text(Committed(sequence=9, parts=parts).model_dump_json())

    found = served.by_version(lake, days=30, now=NOW)

    assert found == {"v1": Served(lists=3, clicked=1, bought=1), "v2": Served(lists=1, clicked=0, bought=1)}
    assert (found["v1"].click_through, found["v2"].conversion) == (1 / 3, 1.0)
    assert served.by_version(lake, days=1, now=NOW) == {}


def test_a_run_whose_version_was_removed_is_still_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events, volume = tmp_path / "events.csv", tmp_path / "volume"
    two_tastes().events.write_csv(events)
    monkeypatch.setenv("TRAINER_KEEP_VERSIONS", "1")
    bad = tmp_path / "bad.json"
    bad.write_text('{"model": "popularity"}')
    runner, where = CliRunner(), ["--artifact-dir", str(volume)]
    train = ["train", "--events", str(events), *where]
    runner.invoke(app, train, catch_exceptions=False)
    runner.invoke(app, [*train, "--recipe", str(bad)], catch_exceptions=False)
    runner.invoke(app, [*train, "--force"], catch_exceptions=False)

    told = json.loads(runner.invoke(app, ["versions", "--json", *where], catch_exceptions=False).output)

    assert [each["version"] for each in told] == [run.version for run in runs.read(volume)]
    assert [each["state"] for each in told].count("live") == 1
    assert len(told) == 3
    assert told[-1]["version"] == layout.current_version(volume)
    first, refused, _ = told
    assert first["state"] == "removed"
    assert 0 < first["metrics"]["recall@20"] <= 1
    assert refused["refusal"].startswith("ndcg@20 minus")
    assert refused["users_judged"] == 80
    listed = runner.invoke(app, ["versions", *where]).output
    assert first["version"] not in listed
    assert f"- {first['version']}" in runner.invoke(app, ["versions", "--all", *where]).output


def run_of(version: str) -> Run:
    return Run(
        version=version,
        trained_at=NOW,
        model="als",
        user_count=6,
        item_count=12,
        metrics={},
        users_judged=None,
        refusal="",
        forced=False,
    )


def test_what_lists_earned_by_the_log_stands_in_the_line_of_their_run(tmp_path: Path) -> None:
    runs.append(tmp_path, run_of("v1"))
    estimate = {"dr": {"value": 0.25, "low": 0.2, "high": 0.3}, "is_enough": True}
    told = {"off_policy": {"served": {}, "orders": {"its own order": {"clicked": estimate}}}}
    reports.path(tmp_path, "v1").with_suffix(".json").write_text(json.dumps(told))
    [row] = run_list.rows(Known([], None, []), lambda _version: pytest.fail("it is gone"), tmp_path, days=30)
    assert row.line().endswith("a list of the window its own order: clicked 0.250 [0.200, 0.300]")
    assert row.as_json()["earned"][0]["value"] == 0.25


def test_a_damaged_line_of_the_runs_is_named_and_a_cut_off_last_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / runs.FILE
    path.parent.mkdir()
    path.write_text('{"version": "v1"')
    assert runs.read(tmp_path) == []
    path.write_text('{"version": "v1"\n{"version": "v2"')
    with pytest.raises(DataError, match=r"runs\.jsonl: line 1: expected a run as JSON"):
        runs.read(tmp_path)


def test_a_run_after_one_that_was_killed_while_it_wrote_stands_on_a_line_of_its_own(tmp_path: Path) -> None:
    noted = [run_of(version) for version in ("v1", "v2", "v3")]
    runs.append(tmp_path, noted[0])
    with (tmp_path / runs.FILE).open("a") as file:
        file.write('{"version": "killed')
    runs.append(tmp_path, noted[1])
    runs.append(tmp_path, noted[2])
    assert runs.read(tmp_path) == noted
