"""What only the embedded store has to do: its file, its group commit, its several processes."""

import asyncio
import json
import sqlite3
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import append_for_ever
import pytest

from recsys.errors import StoreUnavailableError
from recsys.feature_store import sqlite_schema, sqlite_writer
from recsys.feature_store.interface import Event, Exposure, Subject
from recsys.feature_store.opening import open_store
from recsys.feature_store.sqlite import SqliteStore

T = TypeVar("T")

pytestmark = pytest.mark.anyio

NOW_MS = 1_700_000_000_000
ANNA = Subject("user", "anna")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "features.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    opened = SqliteStore(path)
    yield opened
    await opened.close()


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What SQLite is told by connections made from now on."""
    told: list[str] = []
    connect = sqlite_schema.connect

    def connect_traced(path: Path) -> sqlite3.Connection:
        connection = connect(path)
        connection.set_trace_callback(told.append)
        return connection

    monkeypatch.setattr(sqlite_schema, "connect", connect_traced)
    return told


async def together(store: SqliteStore, *writes: Awaitable[T]) -> list[T | BaseException]:
    """Outcomes of writes that all waited while another one went on."""
    began, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def hold(_: sqlite3.Connection) -> None:
        loop.call_soon_threadsafe(began.set)
        assert go_on.wait(60)

    holding = asyncio.create_task(store._writer.run(hold))
    await began.wait()
    waiting = [asyncio.ensure_future(write) for write in writes]
    loop.call_soon(go_on.set)  # after their first steps, which put them into the queue
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    await holding
    return outcomes


def event(number: int, item_id: str = "i") -> Event:
    return Event(f"e{number}", ANNA, item_id, "view", NOW_MS + number, 1.0)


async def ids_in_stream(store: SqliteStore) -> list[str]:
    entries = [entry.entry for entry in await store.read_stream(after_sequence=0, limit=10**6)]
    return [entry.event_id for entry in entries if isinstance(entry, Event)]


async def test_a_commit_goes_to_the_disk_itself(path: Path) -> None:
    connection = sqlite_schema.connect(path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL: flushed with every commit
    connection.close()


async def test_a_list_shown_before_the_erasure_leaves_no_id_of_the_erased_session(
    store: SqliteStore, path: Path
) -> None:
    await store.merge_session("guest", user_id="anna", now_ms=NOW_MS)
    await store.erase_user("anna", now_ms=NOW_MS + 10)
    await store.record_exposures([Exposure("l", Subject("session", "guest"), NOW_MS, ("i",), (1.0,), "v")])
    connection = sqlite_schema.connect(path)
    assert connection.execute("SELECT session_id FROM session_times").fetchall() == []
    connection.close()


async def test_writes_that_wait_together_share_a_commit(path: Path, statements: list[str]) -> None:
    store = SqliteStore(path)
    statements.clear()
    waiting = 3 * sqlite_writer._MOST_AT_ONCE
    await together(store, *(store.append([event(n)], now_ms=NOW_MS) for n in range(waiting)))
    assert statements.count("COMMIT") == 1 + 3  # of the write that they waited for, and theirs
    assert len(await ids_in_stream(store)) == waiting
    await store.close()


async def test_a_write_that_fails_takes_nobody_along(store: SqliteStore) -> None:
    outcomes = await together(
        store,
        store.append([event(1)], now_ms=NOW_MS),
        store.append([event(2), event(3, "half a character: \ud800")], now_ms=NOW_MS),
        store.append([event(4)], now_ms=NOW_MS),
        store._writer.run(lambda connection: connection.execute("INSERT INTO had VALUES ('u:anna', 'view', NULL)")),
        store.append([event(5)], now_ms=NOW_MS),
    )
    failures = [type(outcome) for outcome in outcomes if isinstance(outcome, Exception)]
    assert failures == [UnicodeEncodeError, sqlite3.IntegrityError]
    assert await ids_in_stream(store) == ["e1", "e4", "e5"]
    assert [stored.sequence for stored in (await store.profile(ANNA)).recent] == [3, 2, 1]


async def test_a_full_disk_is_told_and_leaves_nothing_half(store: SqliteStore, path: Path) -> None:
    await store.append([event(0)], now_ms=NOW_MS)
    await store._writer.run(lambda connection: connection.execute("PRAGMA max_page_count = 60").fetchall())
    outcomes = await together(
        store,
        *(store.append([event(n, "i" * 9_000)], now_ms=NOW_MS) for n in range(1, 1 + sqlite_writer._MOST_AT_ONCE)),
    )
    assert {str(outcome) for outcome in outcomes} == {f"{path}: nothing was written: database or disk is full"}
    assert await ids_in_stream(store) == ["e0"]
    await store.append([event(1)], now_ms=NOW_MS)  # a new connection has no such limit
    assert await ids_in_stream(store) == ["e0", "e1"]


def a_folder(path: Path) -> None:
    path.mkdir()


def no_database(path: Path) -> None:
    path.write_text("orders of last year\n" * 100)


def a_file_above(path: Path) -> None:
    path.parent.rmdir()
    path.parent.write_text("")


@pytest.mark.parametrize("instead", [a_folder, no_database, a_file_above])
def test_a_file_that_cannot_be_opened_is_named(path: Path, instead: Callable[[Path], None]) -> None:
    instead(path)
    with pytest.raises(StoreUnavailableError, match=f"^{path}: the feature store cannot be opened: "):
        open_store(f"sqlite://{path}")


async def test_a_file_that_is_damaged_is_named_by_reads_and_writes(path: Path) -> None:
    whole = SqliteStore(path)
    await whole.append([event(n) for n in range(500)], now_ms=NOW_MS)
    await whole.close()
    header = path.read_bytes()[:4096]
    path.write_bytes(header + b"\xff" * (path.stat().st_size - len(header)))
    damaged = SqliteStore(path)
    with pytest.raises(StoreUnavailableError, match=f"^{path}: cannot be read: "):
        await damaged.profile(ANNA)
    with pytest.raises(StoreUnavailableError, match=f"^{path}: nothing was written: "):
        await damaged.append([event(501)], now_ms=NOW_MS)
    await damaged.close()


def test_a_new_file_that_another_process_is_just_making_is_opened_as_soon_as_it_has(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # not yet with a write-ahead log
    pauses: list[float] = []

    def ends_meanwhile(seconds: float) -> None:
        pauses.append(seconds)
        other.execute("COMMIT")

    monkeypatch.setattr(sqlite_schema.time, "sleep", ends_meanwhile)
    sqlite_schema.create(path)
    assert len(pauses) == 1
    other.close()


async def test_a_write_looks_every_millisecond_whether_another_process_has_ended_its_own(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    pauses: list[float] = []

    def ends_after_a_while(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 200:
            other.execute("COMMIT")

    monkeypatch.setattr(sqlite_schema.time, "sleep", ends_after_a_while)
    await store.append([event(1)], now_ms=NOW_MS)
    assert pauses[:200] == [0.001] * 200
    assert await ids_in_stream(store) == ["e1"]
    other.close()


async def test_a_writer_leaves_the_file_free_after_each_commit(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(sqlite_writer.time, "sleep", pauses.append)
    for n in range(3):
        await store.append([event(n)], now_ms=NOW_MS)
    await store.close()
    assert len(pauses) == 3
    assert min(pauses) > 0


async def test_two_processes_that_make_the_file_and_write_at_once_lose_nothing(path: Path) -> None:
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, append_for_ever.__file__, f"sqlite://{path}", first_round, stdout=asyncio.subprocess.PIPE
        )
        for first_round in ("0", "1000000")
    ]
    told: dict[str, int] = {}
    for turn in range(100):
        for process in processes:
            assert process.stdout is not None
            told |= json.loads(await process.stdout.readline())
            if turn == 99:
                process.kill()
                left, _ = await process.communicate()
                for line in left.splitlines(keepends=True):
                    told |= json.loads(line) if line.endswith(b"\n") else {}
    store = SqliteStore(path)
    stream = await store.read_stream(after_sequence=0, limit=10**6)
    await store.close()
    places = {entry.entry.event_id: entry.sequence for entry in stream if isinstance(entry.entry, Event)}
    assert len(places) == len(stream)
    assert len(told) >= 2 * 100 * append_for_ever.EVENTS_AT_ONCE
    assert told.items() <= places.items()


async def test_an_event_id_is_known_for_seven_days(store: SqliteStore) -> None:
    day_ms = 86_400_000
    outcomes = [(await store.append([event(1)], now_ms=NOW_MS + days * day_ms))[0] for days in (0, 7, 8)]
    assert [outcome.is_duplicate for outcome in outcomes] == [False, True, False]


async def test_a_store_that_was_closed_opens_again_when_it_is_used(store: SqliteStore) -> None:
    await store.append([event(1)], now_ms=NOW_MS)
    await store.close()
    await store.append([event(2)], now_ms=NOW_MS)
    assert await ids_in_stream(store) == ["e1", "e2"]
