"""Versions go live and back while clients ask the real processes without pause: no answer fails, none is of two models.

Every answer proves its version: a version's number is in the price of its items, and its parity decides which items a
user likes. So descriptions and candidates of different versions would show.
"""

import http.client
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import pytest
from tiny_artifact import checkerboard, publish
from waiting import PATIENT, until

from recsys.artifact import writer
from tools.local_stack import PYTHON, LocalStack, Ports

CLIENTS: Final = 4
PAUSE_S: Final = 0.01  # between the requests of a client: the trainer's command needs a processor too
ITEMS: Final = 12
PATHS: Final = (
    "/v1/users/user-00/recommendations?count=5",
    "/v1/items/item-03/similar?count=5",
    "/v1/items/popular?count=5",
    "/v1/users/somebody-unknown/recommendations?count=5",
)


def publish_number(number: int, volume: Path) -> str:
    """A version whose items cost `number` × 100 and their row, and where user-00 likes items of the number's parity."""
    board = checkerboard(items=ITEMS)
    shop = replace(
        board,
        user_embeddings=board.user_embeddings[:, :: -1 if number % 2 else 1].copy(),
        histories=[[] for _ in board.user_ids],
        prices=[float(100 * number + row) for row in range(ITEMS)],
    )
    publish(shop, volume, version=f"v{number}")
    return f"v{number}"


@dataclass(frozen=True)
class Answer:
    """What one request got, and when."""

    asked_s: float
    path: str
    status: int
    body: bytes

    @property
    def version(self) -> str:
        """The version that it names."""
        return str(json.loads(self.body)["artifact_version"])

    def wrong(self) -> str:
        """What does not fit its version; empty for a good answer."""
        if self.status != 200:
            return f"{self.status}: {self.body!r}"
        answer: dict[str, Any] = json.loads(self.body)
        number = int(answer["artifact_version"].removeprefix("v"))
        rows = [int(item["item_id"].removeprefix("item-")) for item in answer["items"]]
        if [item["price"] for item in answer["items"]] != [100 * number + row for row in rows] or len(rows) != 5:
            return f"items of another version, or too few: {answer}"
        if self.path == PATHS[0] and {row % 2 for row in rows} != {number % 2}:
            return f"candidates of another version: {answer}"
        return "degraded" if answer.get("degraded", False) else ""


@dataclass
class Clients:
    """Threads that ask, each over one connection, one request after the other, without end."""

    port: int
    answers: list[Answer] = field(default_factory=list)
    _stopped: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def asking(self) -> Iterator["Clients"]:
        """For as long as the block lasts."""
        with ThreadPoolExecutor(CLIENTS) as pool:
            asking = [pool.submit(self._ask) for _ in range(CLIENTS)]
            try:
                yield self
            finally:
                self._stopped.set()
            for one in asking:
                one.result()

    def _ask(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        for path in cycle(PATHS):
            if self._stopped.wait(PAUSE_S):
                break
            asked_s = time.monotonic()
            connection.request("GET", path)
            response = connection.getresponse()
            self.answers.append(Answer(asked_s, path, response.status, response.read()))
        connection.close()

    def wait_for(self, version: str, *, since_s: float) -> None:
        """Until everything that is asked is answered of this version: a round of all clients, and nothing else."""

        def latest() -> list[str]:
            return [one.version for one in self.answers[-CLIENTS * len(PATHS) * 2 :] if one.asked_s > since_s]

        until(latest, lambda found: len(found) >= CLIENTS * len(PATHS) and set(found) == {version})


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[LocalStack]:
    volume = tmp_path / "volume"
    for number in range(1, 5):
        publish_number(number, volume)
    writer.activate(volume, "v1")
    with LocalStack(volume, ports=Ports.free(), log_dir=tmp_path / "logs", environment=PATIENT) as running:
        yield running
        assert [process.poll() for process in running.processes.values()] == [None] * 3


def activate(version: str, volume: Path) -> float:
    """Make a version live; when that was."""
    writer.activate(volume, version)
    return time.monotonic()


def activate_by_command(version: str, volume: Path) -> float:
    """The same by the trainer's command, as a process; when it had ended."""
    subprocess.run([PYTHON, "-m", "trainer", "activate", version, "--artifact-dir", str(volume)], check=True)
    return time.monotonic()


def test_versions_go_live_and_back_under_load_without_a_failed_or_mixed_answer(
    stack: LocalStack, tmp_path: Path
) -> None:
    volume = tmp_path / "volume"
    with Clients(stack.ports.gateway).asking() as clients:
        clients.wait_for("v1", since_s=time.monotonic())
        for version in ("v2", "v1", "v2", "v3", "v4", "v3", "v1"):
            clients.wait_for(version, since_s=activate(version, volume))
        clients.wait_for("v3", since_s=activate_by_command("v3", volume))
    assert [wrong for answer in clients.answers if (wrong := answer.wrong())] == []
    assert {answer.version for answer in clients.answers} == {"v1", "v2", "v3", "v4"}


def test_a_bad_version_between_good_ones_costs_no_answer(stack: LocalStack, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    damaged = volume / "versions" / "v2" / "similar.faiss"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with Clients(stack.ports.gateway).asking() as clients:
        writer.activate(volume, "v2")
        log = tmp_path / "logs" / "candidate_gen.log"
        until(log.read_text, lambda text: "artifact version refused" in text)
        clients.wait_for("v1", since_s=time.monotonic())
        clients.wait_for("v3", since_s=activate("v3", volume))
    assert [wrong for answer in clients.answers if (wrong := answer.wrong())] == []
    assert {answer.version for answer in clients.answers} == {"v1", "v3"}
