"""How the page is started: settings from the environment, and a server that tells no one else about its visitors."""

import os
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

import ui
from ui.__main__ import command
from ui.settings import Settings


def test_the_defaults_are_this_machine_only() -> None:
    settings = Settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8501)
    assert str(settings.gateway_url) == "http://127.0.0.1:8000/"


def test_the_environment_decides_where_the_page_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UI_HOST", "0.0.0.0")
    monkeypatch.setenv("UI_PORT", "9000")
    assert command(Settings())[-2:] == ["--server.address=0.0.0.0", "--server.port=9000"]


def test_a_gateway_address_that_is_no_web_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UI_GATEWAY_URL", "gateway:8000")
    with pytest.raises(ValidationError, match="gateway_url"):
        Settings()


def test_streamlit_sends_no_statistics_and_shows_no_traceback() -> None:
    config = tomllib.loads((Path(ui.__file__).parent / ".streamlit" / "config.toml").read_text())
    assert config["browser"]["gatherUsageStats"] is False
    assert config["client"]["showErrorDetails"] == "none"
    assert config["server"]["headless"] is True


def test_a_port_of_metrics_that_is_taken_ends_the_process_with_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = subprocess.run(
            [sys.executable, "-m", "ui"],
            env=os.environ | {"UI_METRICS_PORT": port},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.returncode == 2
    assert ended.stderr == f"error: UI_METRICS_PORT: cannot listen on port {port}: Address already in use\n"
