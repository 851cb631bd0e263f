"""A writer killed, and a server killed, at random moments: what was acknowledged is there, and once."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import append_for_ever
from append_for_ever import EVENTS_AT_ONCE, WRITERS
from store_backends import new_valkey, valkey_url
from testcontainers.core.container import DockerContainer
from waiting import until

from recsys.feature_store.interface import Event, Profile, StreamEntry, Subject
from recsys.feature_store.opening import open_store
from recsys.feature_store.sqlite_schema import connect

KILLS = 6
MOST_BATCHES = 60  # acknowledged before a kill


class Shop:
    """Runs writers, one after the other, and keeps what they told."""

    def __init__(self) -> None:
        self.acknowledged: dict[str, int] = {}

    def work(self, url: str, *, until: int, kill: Callable[[subprocess.Popen[str]], None]) -> None:
        """Go on where the last one ended; kill after so many batches, and believe whole lines only."""
        command = [sys.executable, append_for_ever.__file__, url, str(self._next_round())]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for number, line in enumerate(process.stdout, start=1):
                if line.endswith("\n"):
                    self._note(json.loads(line))
                if number == until:
                    kill(process)
        assert number >= until, "the writer ended before it was killed"

    def _next_round(self) -> int:
        """The first round that is not acknowledged whole."""
        number = 0
        while all(self._knows(number, writer) for writer in range(WRITERS)):
            number += 1
        return number

    def _knows(self, number: int, writer: int) -> bool:
        return all(event.event_id in self.acknowledged for event in append_for_ever.batch(number, writer))

    def _note(self, told: dict[str, int]) -> None:
        for event_id, sequence in told.items():
            assert self.acknowledged.setdefault(event_id, sequence) == sequence, "an event got another place"


async def _all_of(url: str) -> tuple[list[StreamEntry], list[Profile]]:
    store = open_store(url)
    try:
        stream = await store.read_stream(after_sequence=0, limit=10**6)
        return stream, [await store.profile(Subject("user", f"u{writer}")) for writer in range(WRITERS)]
    finally:
        await store.close()


def expect_everything_once(url: str, acknowledged: dict[str, int]) -> None:
    """What was acknowledged, at its place, and nothing half or twice."""
    stream, profiles = asyncio.run(_all_of(url))
    events = [entry.entry for entry in stream if isinstance(entry.entry, Event)]
    places = {event.event_id: entry.sequence for event, entry in zip(events, stream, strict=True)}
    assert len(places) == len(stream)
    assert acknowledged.items() <= places.items()
    batches = {event_id.rpartition("-")[0] for event_id in places}
    assert len(places) == EVENTS_AT_ONCE * len(batches)  # also a batch that nobody was told of is whole
    for writer, profile in enumerate(profiles):
        of_writer = {event.item_id for event in events if event.subject == Subject("user", f"u{writer}")}
        assert profile.seen == {"view": of_writer}


def test_every_acknowledged_event_is_in_the_file_once_after_its_writer_was_killed_at_random_moments(
    tmp_path: Path,
) -> None:
    path, rng = tmp_path / "features.db", Random(1)
    shop = Shop()
    for _ in range(KILLS):
        shop.work(f"sqlite://{path}", until=rng.randint(1, MOST_BATCHES), kill=subprocess.Popen.kill)
        expect_everything_once(f"sqlite://{path}", shop.acknowledged)
    connection = connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def start_again(container: DockerContainer) -> None:
    """And wait until the server has loaded its data."""
    container.get_wrapped_container().start()
    until(lambda: container.exec(["valkey-cli", "ping"]).output.strip(), lambda answer: answer == b"PONG")


def test_every_acknowledged_event_is_on_the_server_once_after_it_was_killed_at_random_moments() -> None:
    rng, shop = Random(2), Shop()
    with new_valkey() as container:
        server = container.get_wrapped_container()
        for _ in range(KILLS):
            shop.work(valkey_url(container), until=rng.randint(1, MOST_BATCHES), kill=lambda _: server.kill("KILL"))
            start_again(container)
            expect_everything_once(valkey_url(container), shop.acknowledged)
