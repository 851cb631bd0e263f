"""New, old and damaged versions while the real processes serve, seen through REST."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

import checkerboard_shop as shop
import httpx
import pytest
from waiting import PATIENT, WITHIN_S

from recsys.artifact import layout, writer
from tools.local_stack import PYTHON, LocalStack, Ports

USER: Final = shop.IDS[0]

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Live:
    """A running system with one trained version, and what it was trained on."""

    rest: httpx.Client
    stack: LocalStack
    volume: Path
    events: Path
    version: str

    def answering_version(self) -> str:
        """The version that answers a user's request now; every answer must be a good one."""
        response = self.rest.get(f"/v1/users/{quote(USER, safe='')}/recommendations", params={"count": 1})
        assert response.status_code == 200, response.text
        answer = response.json()
        assert [item["item_id"] for item in answer["items"]] == [USER]
        return str(answer["artifact_version"])

    def services(self) -> dict[str, dict[str, Any]]:
        """What /v1/model says of each service."""
        services: dict[str, dict[str, Any]] = self.rest.get("/v1/model").raise_for_status().json()["services"]
        return services

    def activate(self, version: str) -> None:
        """The trainer's command, as a process."""
        options = ["activate", version, "--artifact-dir", str(self.volume)]
        subprocess.run([PYTHON, "-m", "trainer", *options], check=True)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with events.csv and a volume with one version."""
    folder = tmp_path_factory.mktemp("trained")
    shop.write_events(folder / "events.csv")
    shop.train(folder / "volume", folder / "events.csv")
    return folder


@pytest.fixture
def live(trained: Path, tmp_path: Path) -> Iterator[Live]:
    volume = tmp_path / "volume"
    shutil.copytree(trained / "volume", volume)
    version = layout.current_version(volume)
    assert version is not None
    with (
        LocalStack(volume, ports=Ports.free(), log_dir=tmp_path / "logs", environment=PATIENT) as stack,
        httpx.Client(base_url=stack.gateway_url, timeout=WITHIN_S) as rest,
    ):
        yield Live(rest=rest, stack=stack, volume=volume, events=trained / "events.csv", version=version)
        assert [process.poll() for process in stack.processes.values()] == [None] * 3


def answers_until(ask: Callable[[], Answer], is_last: Callable[[Answer], bool]) -> list[Answer]:
    """Ask again and again until an answer is the last one; all of them."""
    deadline = time.monotonic() + WITHIN_S
    answers = [ask()]
    while not is_last(answers[-1]):
        assert time.monotonic() < deadline, f"still {answers[-1]} after {WITHIN_S} s"
        answers.append(ask())
    return answers


def in_order(versions: list[str]) -> list[str]:
    """Without immediate repeats."""
    return [version for n, version in enumerate(versions) if n == 0 or version != versions[n - 1]]


def test_a_new_training_goes_live_and_activate_goes_back_without_a_failed_request(live: Live) -> None:
    seen = [live.answering_version()]
    with ThreadPoolExecutor(1) as pool:
        training = pool.submit(shop.train, live.volume, live.events, seed=1)
        while not wait([training], timeout=0.05).done:
            seen.append(live.answering_version())
    new = training.result()
    assert new != live.version
    seen += answers_until(live.answering_version, lambda version: version == new)
    assert in_order(seen) == [live.version, new]

    live.activate(live.version)
    back = answers_until(live.answering_version, lambda version: version == live.version)
    assert in_order([new, *back]) == [new, live.version]
    # the reranker may look later: until then it holds the old version as the one before
    expected = {"artifact_version": live.version, "held_versions": [live.version, new], "refused": None}
    answers_until(live.services, lambda services: all(service == expected for service in services.values()))


def test_a_damaged_version_is_refused_by_name_while_answers_go_on(live: Live) -> None:
    damaged = damaged_copy(live.volume, live.version)
    writer.activate(live.volume, damaged)

    def ask() -> list[dict[str, Any]]:
        assert live.answering_version() == live.version
        return list(live.services().values())

    for service in answers_until(ask, lambda services: all(one["refused"] for one in services))[-1]:
        assert f"{damaged}/item_embeddings.npy: expected SHA-256 " in service["refused"]
        assert service["artifact_version"] == live.version
        assert service["held_versions"] == [live.version]

    writer.activate(live.volume, live.version)
    answers_until(ask, lambda services: all(one["refused"] is None for one in services))


def damaged_copy(volume: Path, version: str) -> str:
    """A copy of a version under another name, whose item embeddings differ from their checksum in one byte."""
    name = f"{version}-damaged"
    copy = layout.version_dir(volume, name)
    shutil.copytree(layout.version_dir(volume, version), copy)
    manifest = json.loads((copy / layout.MANIFEST).read_text())
    (copy / layout.MANIFEST).write_text(json.dumps(manifest | {"version": name}))
    content = bytearray((copy / layout.ITEM_EMBEDDINGS).read_bytes())
    content[-1] ^= 1
    (copy / layout.ITEM_EMBEDDINGS).write_bytes(content)
    return name
