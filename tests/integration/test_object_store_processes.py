"""The services as processes that share nothing with the trainer but an S3 server."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tiny_artifact import checkerboard, publish
from waiting import WITHIN_S, until

from recsys.artifact import layout
from recsys.artifact.object_store import ObjectStore
from tools import s3_server
from tools.s3_server import S3


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    with s3_server.running() as server:
        for name, value in server.variables.items():
            monkeypatch.setenv(name, value)
        yield server


class Trainer:
    """Who publishes."""

    def __init__(self, volume: Path, address: str) -> None:
        self._volume = volume
        self._store = ObjectStore(address, writes=True)

    def publish(self, version: str) -> None:
        publish(checkerboard(), self._volume, version=version)
        self._store.upload(self._volume, version)
        self._store.activate(version)


class Service:
    """A running service, and its log."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def wait_until_it_takes(self, version: str) -> None:
        assert self.process.stderr is not None
        for text in self.process.stderr:
            line = json.loads(text)
            if line["message"] == "artifact version taken" and line["artifact_version"] == version:
                return
        raise AssertionError(f"the process ended without taking {version}")


@contextmanager
def started(service: str, volume: Path, address: str) -> Iterator[Service]:
    settings = {"artifact_dir": volume, "artifact_store": address, "port": 0}
    with subprocess.Popen(
        [sys.executable, "-m", service],
        env=os.environ | {f"{service}_{name}".upper(): str(value) for name, value in settings.items()},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield Service(process)
        process.kill()


@pytest.mark.parametrize("service", ["candidate_gen", "reranker"])
def test_a_service_killed_while_it_fetches_answers_from_its_copy_until_the_store_is_back(
    service: str, s3: S3, tmp_path: Path
) -> None:
    trainer, local = Trainer(tmp_path / "volume", s3.address), tmp_path / "local"
    trainer.publish("v1")
    with started(service, local, s3.address) as running:
        running.wait_until_it_takes("v1")
        s3.tell({"hold": "GET .*/v2/items.arrow"})
        trainer.publish("v2")
        s3.wait_until_it_holds()
    assert (layout.current_version(local), layout.list_versions(local)) == ("v1", ["v1"])
    s3.tell({"unavailable": "yes"})
    with started(service, local, s3.address) as running:
        running.wait_until_it_takes("v1")
        s3.tell()
        running.wait_until_it_takes("v2")
        trainer.publish("v3")
        running.wait_until_it_takes("v3")
        # which it may do while the one before the last is still being removed
        until(lambda: layout.list_versions(local), lambda versions: versions == ["v2", "v3"])


@pytest.mark.parametrize("service", ["candidate_gen", "reranker"])
def test_an_address_that_is_no_store_ends_the_service_with_a_sentence(service: str, tmp_path: Path) -> None:
    with started(service, tmp_path, "http://shop/models") as running:
        _, told = running.process.communicate(timeout=WITHIN_S)
    assert told.startswith(f"error: {service.upper()}_ARTIFACT_STORE: ")
    assert told.endswith("found 'http://shop/models'\n")
    assert running.process.returncode == 2
