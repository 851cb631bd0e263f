"""Every feature store, empty, for tests of what they have in common."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from needs import lacks
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy
from valkey import Valkey
from waiting import until

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


def new_valkey(command: str = COMMAND) -> DockerContainer:
    """A Valkey server that flushes every write to disk; not started yet."""
    need_docker()
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
    container = DockerContainer(IMAGE).with_command(command).with_exposed_ports(6379)
    return container.waiting_for(LogMessageWaitStrategy("Ready to accept connections"))


def valkey_url(container: DockerContainer) -> str:
    """Where the server answers; another port each time that it is started."""
    return f"valkey://{container.get_container_host_ip()}:{container.get_exposed_port(6379)}/0"


@pytest.fixture(scope="session")
def valkey_container() -> Iterator[DockerContainer]:
    """One server for all tests that leave it as it was."""
    with new_valkey() as running:
        yield running


@dataclass(frozen=True)
class Cluster:
    """Three nodes, each with a third of the slots."""

    nodes: list[DockerContainer]
    addresses: list[str]  # host:port of each

    @property
    def url(self) -> str:
        return f"valkey+cluster://{self.addresses[0]}"

    def flush(self) -> None:
        """Make it empty; nodes forget the scripts, too."""
        for address in self.addresses:
            host, port = address.split(":")
            with Valkey(host, int(port)) as node:
                node.flushall()
                node.script_flush()


@pytest.fixture(scope="session")
def valkey_cluster() -> Iterator[Cluster]:
    """One cluster for all tests that leave it as it was; its nodes are reached by their own addresses."""
    with ExitStack() as stack:
        nodes = [stack.enter_context(new_valkey(f"{COMMAND} --cluster-enabled yes")) for _ in range(3)]
        addresses = [f"{_own_address(node)}:6379" for node in nodes]
        made = nodes[0].exec(["valkey-cli", "--cluster", "create", *addresses, "--cluster-yes"])
        assert made.exit_code == 0, made.output
        for node in nodes:  # until they have found each other
            until(
                partial(node.exec, ["valkey-cli", "cluster", "info"]), lambda told: b"cluster_state:ok" in told.output
            )
        yield Cluster(nodes, addresses)


def _own_address(container: DockerContainer) -> str:
    running = container.get_wrapped_container()
    running.reload()
    [network] = running.attrs["NetworkSettings"]["Networks"].values()
    return str(network["IPAddress"])


@pytest.fixture(params=["sqlite", "valkey", "valkey_cluster"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store."""
    if request.param == "sqlite":
        return f"sqlite://{tmp_path}/features.db"
    if request.param == "valkey_cluster":
        cluster: Cluster = request.getfixturevalue("valkey_cluster")
        cluster.flush()
        return cluster.url
    container = request.getfixturevalue("valkey_container")
    container.exec(["valkey-cli", "flushall"])
    return valkey_url(container)
