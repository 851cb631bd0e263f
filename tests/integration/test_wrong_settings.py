"""Every process with a wrong setting ends with one sentence that names the variable, and exit status 2."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import WITHIN_S

ROOT = Path(__file__).parents[2]
UI_PYTHON = str(ROOT / ".venv-ui/bin/python")


@pytest.mark.parametrize(
    ("command", "variable", "value"),
    [
        (["gateway"], "GATEWAY_PORT", "abc"),
        (["gateway"], "GATEWAY_PORT", "70000"),
        (["gateway"], "GATEWAY_BLEND", "view"),
        (["candidate_gen"], "CANDIDATE_GEN_PORT", "70000"),
        (["reranker"], "RERANKER_PORT", "abc"),
        (["trainer", "versions"], "TRAINER_KEEP_VERSIONS", "0"),
        (["event_sink"], "EVENT_SINK_BATCH", "many"),
        (["feast_sync"], "FEAST_SYNC_INTERVAL_S", "0"),
        (["ui"], "UI_PORT", "70000"),
    ],
)
def test_a_wrong_variable_ends_a_process_with_a_sentence(
    command: list[str], variable: str, value: str, tmp_path: Path
) -> None:
    needed = {
        f"{each}_{name}": str(tmp_path / "x")
        for each in ("CANDIDATE_GEN", "RERANKER", "EVENT_SINK", "FEAST_SYNC")
        for name in ("ARTIFACT_DIR", "CONFIG")
    } | {f"{each}_FEATURE_STORE_URL": f"sqlite://{tmp_path}/x.db" for each in ("EVENT_SINK", "FEAST_SYNC")}
    ended = subprocess.run(
        [UI_PYTHON if command == ["ui"] else sys.executable, "-m", *command],
        env=os.environ | needed | {variable: value},
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    said = ended.stderr.splitlines()
    assert ended.returncode == 2
    assert len(said) == 1
    assert said[0].startswith(f"error: {variable}: ")


def test_a_port_that_is_taken_ends_a_service_with_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = subprocess.run(
            [sys.executable, "-m", "reranker"],
            env=os.environ
            | {"RERANKER_ARTIFACT_DIR": str(tmp_path), "RERANKER_METRICS_PORT": str(taken.getsockname()[1])},
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith("error: metrics: cannot listen on 127.0.0.1:")


@pytest.mark.parametrize("setting", ["GATEWAY_API_KEYS_FILE", "GATEWAY_RULES_FILE", "GATEWAY_EXPERIMENTS_FILE"])
def test_a_settings_file_with_a_date_that_is_none_ends_the_gateway_with_a_sentence(
    setting: str, tmp_path: Path
) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("rules:\n  - at: 2027-13-01T00:00:00Z\n")
    ended = subprocess.run(
        [sys.executable, "-m", "gateway"],
        env=os.environ | {"GATEWAY_OPEN_ON": "127.0.0.1", "GATEWAY_PORT": "0", setting: str(path)},
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith(f"error: {path}: line 2: expected YAML")
