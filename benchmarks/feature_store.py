"""Durable events a second and latency of profiles of both feature stores, beside what writes the same text plainly.

    .venv/bin/python -m benchmarks.feature_store [--memory [USERS] | --bulk | --profiles]

Eight writers at once, batches of 1, 100 and 1000. Everything is flushed to disk before it counts: SQLite in WAL mode
with synchronous = FULL, Valkey (in a container, by docker) with appendfsync always. Baselines, in the same rounds: one
INSERT and its commit an event, from eight threads; one XADD an event, from eight tasks. They keep a log and nothing
else: no profile, no duplicates found, nothing counted. With --memory: bytes that a user with 20 events takes.
With --bulk: how long a bulk of 1,000 events holds the Valkey server. With --profiles: p50 of the profile of a user with
0, 20 and 200 events, all of them and those after a model's place, and what an exposure takes in groups of 50.
"""

import argparse
import asyncio
import os
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from benchmarks import feature_store_bulk, feature_store_memory, plain_log
from recsys.feature_store.interface import Event, Exposure, FeatureStore, Subject
from recsys.feature_store.opening import open_store

WRITERS = 8
BATCHES = (1, 100, 1000)
ROUNDS = 3
SECONDS = 2.0  # of each measurement
USERS, ITEMS = 2_000, 10_000
PROFILES = 2_000
_SERVER = 'valkey-server --appendonly yes --appendfsync always --save ""'


class Shop:
    """Events at random, seeded: their ids are as long as a UUID is."""

    def __init__(self, users: int = USERS) -> None:
        self._random = random.Random(0)
        self._users = users

    def event(self, user: int | None = None) -> Event:
        """The next one."""
        number = self._random.randrange(self._users) if user is None else user
        return Event(
            event_id=str(UUID(int=self._random.getrandbits(128))),
            subject=Subject("user", f"user-{number}"),
            item_id=f"item-{self._random.randrange(ITEMS)}",
            event_type=self._random.choices(("view", "cart", "purchase"), (0.9, 0.07, 0.03))[0],
            unix_ms=now_ms(),
            weight=1.0,
        )

    def exposures(self, count: int) -> list[Exposure]:
        """Lists of ten items that were shown to users at random, in an experiment."""
        items, chances = tuple(f"item-{n}" for n in range(10)), (1.0,) * 10
        events = [self.event() for _ in range(count)]
        return [Exposure(one.event_id, one.subject, one.unix_ms, items, chances, "v", "e", "a") for one in events]


def now_ms() -> int:
    """Unix milliseconds."""
    return int(time.time() * 1000)


@contextmanager
def valkey() -> Iterator[str]:
    """The address of a server of its own."""
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
    container = DockerContainer("valkey/valkey:8.1-trixie").with_command(_SERVER).with_exposed_ports(6379)
    with container.waiting_for(LogMessageWaitStrategy("Ready to accept connections")) as running:
        yield f"valkey://{running.get_container_host_ip()}:{running.get_exposed_port(6379)}/0"


async def events_per_s(append: Callable[[list[Event]], Awaitable[object]], shop: Shop, *, batch: int) -> float:
    """What eight writers get acknowledged; the events are made beforehand, as far as they go."""
    ready = [[shop.event() for _ in range(batch)] for _ in range(max(WRITERS * 4, 60_000 // batch))]
    begun, acknowledged = time.perf_counter(), 0

    async def write() -> None:
        nonlocal acknowledged
        while ready and time.perf_counter() - begun < SECONDS:
            events = ready.pop()
            await append(events)
            acknowledged += len(events)

    await asyncio.gather(*(write() for _ in range(WRITERS)))
    return acknowledged / (time.perf_counter() - begun)


async def read_us(read: Callable[[], Awaitable[object]]) -> float:
    """Median of one read after the other, microseconds."""
    return statistics.median([await time_us(read()) for _ in range(PROFILES)])


async def measure(name: str, store: FeatureStore, log: plain_log.PlainLog) -> None:
    """Print a backend's rows."""
    shop = Shop()
    for user in range(USERS):
        events = [shop.event(user) for _ in range(20)]
        await store.append(events, now_ms=now_ms())
        await log.fill(user, events)
    rng = random.Random(0)
    profile_us = await read_us(lambda: store.profile(Subject("user", f"user-{rng.randrange(USERS)}")))
    plain_us = await read_us(lambda: log.read(rng.randrange(USERS)))
    plain: list[float] = []
    found: dict[int, list[float]] = {batch: [] for batch in BATCHES}
    for _ in range(ROUNDS):
        plain.append(await log.events_per_s([shop.event() for _ in range(60_000)], writers=WRITERS, seconds=SECONDS))
        for batch in BATCHES:
            per_s = await events_per_s(lambda events: store.append(events, now_ms=now_ms()), shop, batch=batch)
            found[batch].append(per_s)
    print(f"| {name} | {log.NAME} | {statistics.median(plain):,.0f} | 1 |")
    for batch, figures in found.items():
        ratios = sorted(one / other for one, other in zip(figures, plain, strict=True))
        print(
            f"| {name} | feature store, batches of {batch} | {statistics.median(figures):,.0f} "
            f"| {statistics.median(ratios):.2f} ({ratios[0]:.2f} – {ratios[-1]:.2f}) |"
        )
    print(
        f"| {name} | p50 of a profile; of the plain read of 20 texts | {profile_us:.0f} µs; {plain_us:.0f} µs "
        f"| {profile_us / plain_us:.2f} |",
        flush=True,
    )


async def profiles(folder: Path, valkey_url: str) -> None:
    """Print what a profile takes by what is stored of a user, and an exposure in a group."""
    print("| | stored events | µs, all of them | µs, all known to a model |\n|---|---|---|---|", flush=True)
    for name, url in (("SQLite", f"sqlite://{folder}/features.db"), ("Valkey", valkey_url)):
        store, shop = open_store(url), Shop()
        for stored in (0, 20, 200):
            who, sequence = Subject("user", f"user-{stored}"), 0
            for _ in range(stored // 20):
                sequence = (await store.append([shop.event(stored) for _ in range(20)], now_ms=now_ms()))[-1].sequence
            every = await read_us(partial(store.profile, who))
            later = await read_us(partial(store.profile, who, after_sequence=sequence))
            print(f"| {name} | {stored} | {every:.0f} | {later:.0f} |", flush=True)
        spent = [await time_us(store.record_exposures(shop.exposures(50))) / 50 for _ in range(200)]
        print(f"| {name} | an exposure, in groups of 50 | {statistics.median(spent):.0f} | |", flush=True)
        await store.close()


async def time_us(answer: Awaitable[object]) -> float:
    """Microseconds until it is there."""
    begun = time.perf_counter()
    await answer
    return (time.perf_counter() - begun) * 1e6


async def speed(folder: Path, valkey_url: str) -> None:
    """Print the table."""
    print(
        "| | durable writes, 8 writers | events/s | ratio: median of 3 rounds (range) |\n|---|---|---|---|", flush=True
    )
    for name, url, log in (
        ("SQLite", f"sqlite://{folder}/features.db", plain_log.SqliteLog(folder / "plain.db")),
        ("Valkey", valkey_url, plain_log.ValkeyLog(valkey_url)),
    ):
        store = open_store(url)
        await measure(name, store, log)
        await store.close()
        await log.close()


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--memory", type=int, nargs="?", const=20_000, metavar="USERS", help="default 20,000")
    what.add_argument("--profiles", action="store_true", help="what a profile takes by what is stored")
    what.add_argument("--bulk", action="store_true", help="how long a bulk holds the Valkey server")
    given = parser.parse_args()
    users = given.memory
    with TemporaryDirectory() as folder, valkey() as url:
        if given.bulk:
            asyncio.run(feature_store_bulk.report(url, event=Shop().event))
        elif given.profiles:
            asyncio.run(profiles(Path(folder), url))
        elif users is None:
            asyncio.run(speed(Path(folder), url))
        else:
            events = Shop(users).event
            asyncio.run(feature_store_memory.report(Path(folder), url, users=users, event=events))


if __name__ == "__main__":
    main()
