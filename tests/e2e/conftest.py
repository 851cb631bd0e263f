"""The compose file brought up as a stranger would, on data of its own, and seen from outside only."""

import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import checkerboard_shop as shop
import httpx
import pytest
from needs import lacks
from testcontainers.compose import DockerCompose
from waiting import PATIENT, WITHIN_S

ROOT = Path(__file__).resolve().parents[2]
FILES = ["docker-compose.yml", "tests/e2e/publish-grpc.yml"]


def docker_answers() -> bool:
    """Whether there is an engine with compose here."""
    if shutil.which("docker") is None:
        return False
    commands = (["docker", "info"], ["docker", "compose", "version"])
    return all(subprocess.run(command, capture_output=True, check=False).returncode == 0 for command in commands)


@pytest.fixture(scope="session")
def needs_docker() -> None:
    """Without an engine there is nothing to test; in CI that is a failure."""
    if not docker_answers():
        lacks("docker with compose does not answer")


@pytest.fixture(scope="session")
def compose(needs_docker: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerCompose]:
    """The running system, in a project and on ports of its own; removed afterwards with its volume."""
    folder = tmp_path_factory.mktemp("e2e")
    folder.chmod(0o755)  # the trainer is another user
    shop.write_events(folder / "events.csv")
    variables = PATIENT | {
        "COMPOSE_PROJECT_NAME": f"recsys-e2e-{uuid.uuid4().hex[:8]}",
        "EVENTS_FILE": str(folder / "events.csv"),
        "GATEWAY_PORT": "0",
        "GATEWAY_GRPC_PORT": "0",
        "UI_PORT": "0",
    }
    env_file = folder / "env"
    env_file.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
    with DockerCompose(ROOT, compose_file_name=FILES, env_file=str(env_file), build=True) as running:
        yield running


@pytest.fixture(scope="module")
def rest(compose: DockerCompose) -> Iterator[httpx.Client]:
    """The REST API as published: starting again may publish it on another port."""
    address = f"http://127.0.0.1:{compose.get_service_port('gateway', 8000)}"
    with httpx.Client(base_url=address, timeout=WITHIN_S) as client:
        yield client
