"""Both feature stores, empty, for tests of what they have in common."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from needs import lacks
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

IMAGE = "valkey/valkey:8.1-trixie"
COMMAND = "valkey-server --appendonly yes --appendfsync always --enable-debug-command yes"


def docker_answers() -> bool:
    """Whether there is an engine here."""
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


def need_docker() -> None:
    """Without an engine: skip here, fail in CI."""
    if not docker_answers():
        lacks("docker does not answer")


def new_valkey() -> DockerContainer:
    """A Valkey server that flushes every write to disk; not started yet."""
    need_docker()
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
    container = DockerContainer(IMAGE).with_command(COMMAND).with_exposed_ports(6379)
    return container.waiting_for(LogMessageWaitStrategy("Ready to accept connections"))


def valkey_url(container: DockerContainer) -> str:
    """Where the server answers; another port each time that it is started."""
    return f"valkey://{container.get_container_host_ip()}:{container.get_exposed_port(6379)}/0"


@pytest.fixture(scope="session")
def valkey_container() -> Iterator[DockerContainer]:
    """One server for all tests that leave it as it was."""
    with new_valkey() as running:
        yield running


@pytest.fixture(params=["sqlite", "valkey"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store."""
    if request.param == "sqlite":
        return f"sqlite://{tmp_path}/features.db"
    container = request.getfixturevalue("valkey_container")
    container.exec(["valkey-cli", "flushall"])
    return valkey_url(container)
