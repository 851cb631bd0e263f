"""Both stores beside a model of a few lines: whatever is appended, merged and erased, in whatever order, they agree."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from store_backends import Cluster, valkey_cluster, valkey_container, valkey_url  # noqa: F401 # fixtures
from testcontainers.core.container import DockerContainer

from recsys.feature_store import sqlite_writes, valkey
from recsys.feature_store import valkey_cluster as valkey_cluster_backend
from recsys.feature_store.interface import Event, FeatureStore, Profile, Subject
from recsys.feature_store.opening import open_store

RECENT = 4  # instead of 200, so that a few events are too many
NOW_MS = 1_700_000_000_000

names = st.sampled_from(["a", "b", "ä|\n"])
subjects = st.builds(Subject, st.sampled_from(["user", "session"]), names)
events = st.builds(
    Event,
    event_id=st.integers(0, 30).map("e{}".format),
    subject=subjects,
    item_id=names,
    event_type=st.sampled_from(["view", "purchase", "remove"]),
    unix_ms=st.integers(NOW_MS, NOW_MS + 3),
    weight=st.sampled_from([0.0, 1.0, 5.0]),
    value=st.none() | st.floats(0, 1e6),
    quantity=st.integers(1, 3),
)


class Model:
    """The same by lists: what happened, and whose it is."""

    def __init__(self) -> None:
        self.stream: dict[str, Event] = {}  # by event id
        self.places: dict[str, int] = {}  # by event id
        self.owners: dict[str, Subject] = {}  # event id → who it belongs to by now
        self.bought: dict[tuple[Subject, str], int] = {}  # owner and item → pieces not taken back
        self.users: dict[str, str] = {}  # session → user
        self.forgotten: set[str] = set()  # ids of events beyond the most recent ones
        self.erased: set[str] = set()  # ids of events of users who were erased: still known, for no second coming

    def resolve(self, subject: Subject) -> Subject:
        user = self.users.get(subject.id) if subject.kind == "session" else None
        return subject if user is None else Subject("user", user)

    def append(self, batch: list[Event], sequences: list[int]) -> list[bool]:
        duplicates = []
        for event, sequence in zip(batch, sequences, strict=True):
            duplicates.append(event.event_id in self.stream)
            if not duplicates[-1]:
                self.stream[event.event_id], self.places[event.event_id] = event, sequence
                self.owners[event.event_id] = self.resolve(event.subject)
                self._note_purchase(self.resolve(event.subject), event)
                self._cap(self.resolve(event.subject))
        return duplicates

    def merge(self, session_id: str, user_id: str) -> int:
        session, user = Subject("session", session_id), Subject("user", user_id)
        self.users[session_id] = user_id
        moved = len(self.recent(session))
        self.owners = {one: user if owner == session else owner for one, owner in self.owners.items()}
        for owner, item_id in [pair for pair in self.bought if pair[0] == session]:
            units = self.bought.pop((owner, item_id))
            self.bought[user, item_id] = self.bought.get((user, item_id), 0) + units
        self._cap(user)
        return moved

    def erase(self, user_id: str) -> None:
        user = Subject("user", user_id)
        self.erased |= {one for one, owner in self.owners.items() if owner == user}
        self.owners = {one: owner for one, owner in self.owners.items() if owner != user}
        self.bought = {pair: units for pair, units in self.bought.items() if pair[0] != user}
        self.users = {session: owner for session, owner in self.users.items() if owner != user_id}

    def recent(self, subject: Subject) -> list[str]:
        """Ids, most recent first."""
        of_subject = [one for one, owner in self.owners.items() if owner == subject and one not in self.forgotten]
        return sorted(of_subject, key=lambda one: (self.stream[one].unix_ms, self.places[one]), reverse=True)

    def had(self, subject: Subject) -> dict[str, set[str]]:
        had: dict[str, set[str]] = {}
        for one, owner in self.owners.items():
            if owner == subject and self.stream[one].event_type == "view":
                had.setdefault("view", set()).add(self.stream[one].item_id)
        bought = {item_id for (owner, item_id), units in self.bought.items() if owner == subject and units > 0}
        return had | ({"purchase": bought} if bought else {})

    def _note_purchase(self, owner: Subject, event: Event) -> None:
        before = self.bought.get((owner, event.item_id), 0)
        change = {"purchase": 1, "remove": -1}.get(event.event_type, 0)
        self.bought[owner, event.item_id] = max(before + change * event.quantity, 0)

    def _cap(self, subject: Subject) -> None:
        self.forgotten |= set(self.recent(subject)[RECENT:])


class StoreMachine(RuleBasedStateMachine):
    """A store and the model, asked for the same."""

    new_store: Callable[[], FeatureStore]

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.runner = asyncio.Runner()
        self.store = self.new_store()

    @rule(batch=st.lists(events, min_size=1, max_size=6))
    def append(self, batch: list[Event]) -> None:
        outcomes = self.runner.run(self.store.append(batch, now_ms=NOW_MS))
        duplicates = self.model.append(batch, [outcome.sequence for outcome in outcomes])
        assert [outcome.is_duplicate for outcome in outcomes] == duplicates
        places = [self.model.places[event.event_id] for event in batch]
        assert [outcome.sequence for outcome in outcomes] == places

    @rule(session_id=names, user_id=names)
    def merge(self, session_id: str, user_id: str) -> None:
        moved = self.runner.run(self.store.merge_session(session_id, user_id=user_id, now_ms=NOW_MS))
        assert moved == self.model.merge(session_id, user_id)

    @rule(user_id=names)
    def erase(self, user_id: str) -> None:
        erasure = self.runner.run(self.store.erase_user(user_id, now_ms=NOW_MS))
        assert erasure.sequence > max(self.model.places.values(), default=0)
        assert self.runner.run(self.store.erasure(user_id)) == erasure
        self.model.erase(user_id)

    @rule(subject=subjects)
    def ask(self, subject: Subject) -> None:
        profile: Profile = self.runner.run(self.store.profile(subject))
        resolved = self.model.resolve(subject)
        assert profile.subject == resolved
        assert [recent.event_id for recent in profile.recent] == self.model.recent(resolved)
        for sequence, event_id, *facts in profile.recent:
            event = self.model.stream[event_id]
            assert sequence == self.model.places[event_id]
            assert facts == [event.item_id, event.event_type, event.unix_ms, event.quantity]
        assert profile.seen == self.model.had(resolved)

    @invariant()
    def the_stream_has_every_event_once_and_in_order(self) -> None:
        stream = self.runner.run(self.store.read_stream(after_sequence=0, limit=1000))
        found = [(entry.sequence, entry.entry.event_id) for entry in stream if isinstance(entry.entry, Event)]
        stored = {one: place for one, place in self.model.places.items() if one not in self.model.erased}
        assert found == sorted((sequence, one) for one, sequence in stored.items())

    def teardown(self) -> None:
        self.runner.run(self.store.close())
        self.runner.close()


@pytest.fixture(autouse=True)
def few_recent_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_writes, "RECENT_EVENTS", RECENT)
    monkeypatch.setattr(valkey, "RECENT_EVENTS", RECENT)
    monkeypatch.setattr(valkey_cluster_backend, "RECENT_EVENTS", RECENT)


def run(new_store: Callable[[], FeatureStore], *, examples: int = 60) -> None:
    class Machine(StoreMachine):
        pass

    Machine.new_store = staticmethod(new_store)
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=20,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )


def test_the_embedded_store_does_what_the_model_does() -> None:
    with TemporaryDirectory() as folder:
        numbers = iter(range(10**6))
        run(lambda: open_store(f"sqlite://{Path(folder)}/{next(numbers)}.db"))


def test_the_store_on_a_cluster_does_what_the_model_does(valkey_cluster: Cluster) -> None:  # noqa: F811
    def empty() -> FeatureStore:
        valkey_cluster.flush()
        return open_store(valkey_cluster.url)

    run(empty, examples=25)  # each write goes to two nodes' disks


def test_the_store_on_a_server_does_what_the_model_does(valkey_container: DockerContainer) -> None:  # noqa: F811
    def empty() -> FeatureStore:
        valkey_container.exec(["valkey-cli", "flushall"])
        return open_store(valkey_url(valkey_container))

    run(empty)
