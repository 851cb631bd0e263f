"""An experiment from the first list to the verdict, with a known truth: store, sink and report.

People come as guests, half of them sign in, ask again under one trace id, buy after hours by a clock that is behind,
send events twice, and return some of it. Some were users with an arm of their own before they came as guests.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Final, cast

import pytest
from store_backends import store_url, valkey_cluster, valkey_container  # noqa: F401 # fixtures

from event_sink import rows, sums
from event_sink.lake_writer import LakeWriter
from event_sink.reporting import Reporting
from event_sink.sink import Sink
from gateway.experiments import report
from gateway.experiments.file import Arm, Experiment
from gateway.experiments.live import Experiments
from gateway.experiments.schemas import ExperimentReport, Interval
from recsys.experiments import SUMS, Metric, Sums
from recsys.feature_store.interface import Event, Exposure, FeatureStore, Merge, Profile, StreamEntry, Subject
from recsys.feature_store.opening import open_store

START_MS: Final = 1_767_225_600_000
HOUR_MS: Final = 3_600_000
CONVERSION: Final = 0.3  # of the control
ORDER: Final = 20.0  # mean value
RETURNED: Final = 0.2  # of the orders
RULES: Final = sums.Rules(click_days=7, clock_skew_s=300)
SHOP: Final = Experiment(
    name="simulated",
    arms=(Arm(name="control", share=0.5), Arm(name="better", share=0.5)),
    metrics=(
        Metric(name="clicks", measure="clicked"),
        Metric(name="orders", measure="converted", types=("order",), window_days=14),
        Metric(name="money", measure="money", types=("order",), returns=("sent back",), window_days=14),
    ),
)


@dataclass
class InMemory:
    """A store as far as people are concerned, for many quick runs: a stream, arms, and whose a session is."""

    entries: list[StreamEntry] = field(default_factory=list)
    users: dict[Subject, Subject] = field(default_factory=dict)
    arms: dict[Subject, tuple[int, str]] = field(default_factory=dict)

    async def profile(self, subject: Subject, *, after_sequence: int = 0) -> Profile:
        found = self.users.get(subject, subject)
        arm = {SHOP.name: self.arms[found][1]} if found in self.arms else {}
        return Profile(found, recent=(), seen={}, arms=arm)

    async def record_exposures(self, exposures: Sequence[Exposure]) -> None:
        for exposure in exposures:
            assert exposure.subject is not None
            assert exposure.arm is not None
            self._first(exposure.subject, (exposure.unix_ms, exposure.arm))
            self._enter(exposure)

    async def merge_session(self, session_id: str, *, user_id: str, now_ms: int) -> int:
        session, user = Subject("session", session_id), Subject("user", user_id)
        self.users[session] = user
        if session in self.arms:
            self._first(user, self.arms.pop(session))
        self._enter(Merge(session_id, user_id, now_ms))
        return 0

    async def append(self, events: Sequence[Event], *, now_ms: int) -> None:
        for event in events:
            self._enter(replace(event, subject=self.users.get(event.subject, event.subject)))

    def _first(self, subject: Subject, arm: tuple[int, str]) -> None:
        self.arms[subject] = min(arm, self.arms.get(subject, arm))

    def _enter(self, entry: Event | Exposure | Merge) -> None:
        self.entries.append(StreamEntry(len(self.entries) + 1, entry))


@dataclass
class World:
    """People in front of a store; what is true of them."""

    store: FeatureStore
    experiments: Experiments
    lift: float
    seed: int
    mixed: int = 0

    async def run(self, people: int) -> None:
        """Fifty of them at a time."""
        for start in range(0, people, 50):
            await asyncio.gather(*(self._live(number) for number in range(start, min(people, start + 50))))

    async def _live(self, number: int) -> None:
        chance = Random(f"{self.seed}-{number}")
        user, guest = Subject("user", f"{self.seed}-u{number}"), Subject("session", f"{self.seed}-s{number}")
        now_ms = START_MS + chance.randrange(48) * HOUR_MS
        visits = [guest] * chance.choice((1, 2))
        if chance.random() < 0.1:  # known from another device
            visits.insert(0, user)
        arms = {(await self._see(who, now_ms + at, chance))[1] for at, who in enumerate(visits)}
        who = guest
        if chance.random() < 0.5:
            who = user
            await self.store.merge_session(guest.id, user_id=user.id, now_ms=now_ms + 2000)
            self.mixed += len(arms) > 1
        list_id, arm = await self._see(who, now_ms + 3000, chance)
        await self._buy(who, list_id, arm, now_ms=now_ms, chance=chance)

    async def _see(self, who: Subject, now_ms: int, chance: Random) -> tuple[str, str]:
        """A list, as a gateway shows it; its id and its arm."""
        profile = await self.store.profile(who)
        assigned = self.experiments.assign(profile)
        assert assigned is not None
        name = f"{who.kind}-{who.id}-{chance.randrange(10**9)}"
        shown = Exposure(
            name, profile.subject, now_ms, ("i", "j"), (1.0, 1.0), "v", SHOP.name, assigned.arm.name, 2.0, who.id
        )
        await self.store.record_exposures([shown])
        return name, assigned.arm.name

    async def _buy(self, who: Subject, list_id: str, arm: str, *, now_ms: int, chance: Random) -> None:
        events = []
        name = f"{who.kind}-{who.id}"
        if chance.random() < 0.4:
            events.append(Event(f"{name}-v", who, "i", "view", now_ms + 4000, 1.0, list_id=list_id))
        if chance.random() < CONVERSION * (1 + self.lift * (arm == "better")):
            when = now_ms + chance.choice((-1, 1, 30 * 3600)) * 1000
            value = chance.gammavariate(4, ORDER / 4)
            events.append(Event(f"{name}-o", who, "k", "order", when, 1.0, value))
            if chance.random() < RETURNED:
                events.append(Event(f"{name}-r", who, "k", "sent back", when + 50 * HOUR_MS, 0.0, value))
        await self.store.append(events, now_ms=now_ms)
        if events and chance.random() < 0.3:  # the shop got no answer, and sends them again
            await self.store.append(events, now_ms=now_ms)

    def truth(self) -> dict[str, float]:
        """Differences between the arms."""
        orders = CONVERSION * self.lift
        return {"clicks": 0.0, "orders": orders, "money": orders * ORDER * (1 - RETURNED)}


async def started(store: FeatureStore) -> Experiments:
    experiments = Experiments([SHOP])
    await experiments.refresh(store)
    return experiments


def in_memory(lift: float, seed: int, *, people: int, lake: Path) -> tuple[World, ExperimentReport]:
    """A world without a server, its lake and its report."""

    class Startable(InMemory):
        async def texts(self, kind: str) -> dict[str, str]:
            return {}

        async def write_text(self, kind: str, name: str, text: str) -> None:
            pass

    async def live() -> tuple[World, Startable]:
        memory = Startable()
        store = cast(FeatureStore, memory)
        world = World(store, await started(store), lift, seed)
        await world.run(people)
        return world, memory

    world, memory = asyncio.run(live())
    writer = LakeWriter(lake)
    parts = {}
    for table, frame in rows.frames(memory.entries).items():
        for day, part in rows.by_day(frame):
            parts |= writer.write_part(table, day, part)
    writer.commit(sequence=len(memory.entries), added=parts)
    writer.close()
    found = sums.of_lake(lake, {SHOP.name: SHOP.metrics}, RULES)
    built = report.build(world.experiments.get(SHOP.name), Sums(as_of_ms=0, experiments=found), now_ms=0)
    return world, built


def differences(built: ExperimentReport) -> dict[str, Interval]:
    (comparison,) = built.comparisons
    return {metric.metric: metric.difference for metric in comparison.metrics}


def holds(interval: Interval, truth: float) -> bool:
    assert interval.low is not None
    assert interval.high is not None
    return interval.low <= truth <= interval.high


@pytest.mark.parametrize("lift", [0.0, 0.2])
def test_over_many_runs_intervals_hold_the_truth_and_the_split_is_as_configured(tmp_path: Path, lift: float) -> None:
    runs, people = 40, 600
    held: dict[str, list[bool]] = {metric.name: [] for metric in SHOP.metrics}
    values: dict[str, list[float]] = {metric.name: [] for metric in SHOP.metrics}
    splits = []
    for seed in range(runs):
        world, built = in_memory(lift, seed, people=people, lake=tmp_path / str(seed))
        for name, interval in differences(built).items():
            assert interval.value is not None
            held[name].append(holds(interval, world.truth()[name]))
            values[name].append(interval.value)
        assert sum(arm.mixed_units for arm in built.results) == world.mixed > 0
        assert sum(arm.units for arm in built.results) >= people
        splits.append(built.split.verdict)

    assert {name: fmean(each) >= 0.95 for name, each in held.items()} == dict.fromkeys(held, True)
    assert splits == ["as configured"] * runs
    for name, truth in world.truth().items():  # without a bias: three standard errors of the mean of the runs
        spread = fmean((value - truth) ** 2 for value in values[name]) ** 0.5
        assert abs(fmean(values[name]) - truth) <= 3 * spread / runs**0.5


@pytest.mark.parametrize("lift", [0.0, 0.2])
def test_through_a_real_store_and_the_sink_the_report_is_as_good(
    store_url: str,  # noqa: F811
    tmp_path: Path,
    lift: float,
) -> None:
    people = 300

    async def all_of_it() -> tuple[World, ExperimentReport]:
        store = open_store(store_url)
        writer = LakeWriter(tmp_path / "lake")
        try:
            world = World(store, await started(store), lift, seed=7)
            await world.run(people)
            sink = Sink(store, writer, batch=1_000)
            while await sink.turn():
                pass
            reporting = Reporting(store, writer.path, rules=RULES, interval_s=1)
            await reporting.turn(sequence=writer.committed.sequence, as_of_ms=START_MS)
            text = (await store.texts("documents")).get(SUMS)
            assert text is not None
            live = world.experiments.get(SHOP.name)
            return world, report.build(live, Sums.model_validate_json(text), now_ms=START_MS + 3_000)
        finally:
            writer.close()
            await store.close()

    world, built = asyncio.run(all_of_it())
    _, expected = in_memory(lift, seed=7, people=people, lake=tmp_path / "other")
    assert built.age_s == 3.0
    assert built.split.verdict == "as configured"
    assert all(holds(interval, world.truth()[name]) for name, interval in differences(built).items())
    for arm, other in zip(built.results, expected.results, strict=True):  # the store did as the few lines above do
        assert (arm.units, arm.mixed_units, arm.exposures, arm.ctr) == (
            other.units,
            other.mixed_units,
            other.exposures,
            other.ctr,
        )
        for name, metric in arm.metrics.items():
            assert metric.total == pytest.approx(other.metrics[name].total)
