"""Backups: consistent while the sink moves on, verified, and never over what is there."""

import asyncio
from pathlib import Path

import polars as pl
import pytest
from lake_in_folder import Lake, StreamInMemory
from store_backends import valkey_container, valkey_url  # noqa: F401 # fixtures
from testcontainers.core.container import DockerContainer

from recsys.errors import DataError, StoreUnavailableError
from recsys.feature_store.interface import Event, FeatureStore, Subject
from recsys.feature_store.opening import open_store
from recsys.lake import ERASURES_FILE, lake_dir, read_committed, read_table
from recsys.shop.item import ItemChange
from recsys_cli.backup import lake_copy, manifest, sqlite_copy, valkey_copy, whole
from recsys_cli.backup.manifest import Position
from recsys_cli.backup.whole import System

pytestmark = pytest.mark.anyio
ANNA = Subject("user", "anna")
NOW_MS = 1_790_000_000_000


def event(number: int) -> Event:
    return Event(f"e{number}", ANNA, f"i{number}", "view", NOW_MS + number, 1.0)


async def opened_and_told(url: str, count: int) -> FeatureStore:
    store = open_store(url)
    await store.append([event(number) for number in range(count)], now_ms=NOW_MS)
    await store.change_items([ItemChange("i0", "patch", {"available": False})], now_ms=NOW_MS)
    return store


async def test_a_lake_is_cut_where_the_store_was_copied(tmp_path: Path) -> None:
    store = StreamInMemory()
    lake = Lake(tmp_path, store, batch=10_000)
    for number in range(3):
        store.event(f"early{number}", user="anna")
    store.item("i", available=False)
    await lake.drain()
    position = Position(stream=3, trimmed=3, items=4)
    store.event("late", user="anna")
    store.event("late too", user="anna", day=1)
    store.exposure("list", user="anna")
    store.erase("ben")
    await lake.drain()
    lake.kill()

    copy = lake_copy.take(lake.path, tmp_path / "copy", up_to=position)

    assert copy is not None
    assert copy == read_committed(tmp_path / "copy")
    committed, events = read_table(tmp_path / "copy", "events")
    assert events["event_id"].to_list() == ["early0", "early1", "early2"]
    assert committed.sequence == 3
    assert read_table(tmp_path / "copy", "exposures")[1].is_empty()
    assert pl.read_parquet(tmp_path / "copy" / ERASURES_FILE).is_empty()


async def test_a_user_who_was_erased_between_the_copies_of_store_and_lake_does_not_stop_the_sink_afterwards(
    tmp_path: Path,
) -> None:
    store = StreamInMemory()
    lake = Lake(tmp_path, store, batch=10_000)
    store.event("moved before", user="anna")
    await lake.drain()
    store.event("in the stream", user="ben")
    in_copy, sequence = list(store.entries), store.sequence  # the store is copied here
    store.erase("ben")
    await lake.drain()
    lake.kill()

    copied = tmp_path / "restored"
    lake_copy.take(lake.path, lake_dir(copied), up_to=Position(stream=sequence, trimmed=1))

    restored = StreamInMemory()
    restored.entries, restored.sequence = in_copy, sequence
    again = Lake(copied, restored, batch=10_000)
    await again.drain()
    again.kill()
    assert again.ids() == ["moved before", "in the stream"]


async def test_an_item_that_changed_after_the_store_was_copied_is_read_again_from_the_store(tmp_path: Path) -> None:
    store = StreamInMemory()
    lake = Lake(tmp_path, store, batch=10_000)
    store.item("i", available=False)
    position = Position(stream=0, items=store.sequence)
    store.item("i", available=True)
    await lake.drain()
    lake.kill()

    copy = lake_copy.take(lake.path, tmp_path / "copy", up_to=position)

    assert copy is not None
    assert copy.items_sequence == 0


async def test_the_embedded_store_is_copied_while_it_is_written_to(tmp_path: Path) -> None:
    store = await opened_and_told(f"sqlite://{tmp_path}/features.db", 10)
    copy = tmp_path / "copy"
    copy.mkdir()

    position = sqlite_copy.take(tmp_path / "features.db", copy)
    await store.append([event(99)], now_ms=NOW_MS)
    await store.close()

    assert position == Position(stream=10, trimmed=0, items=1)
    sqlite_copy.restore(copy, tmp_path / "features.db")
    again = open_store(f"sqlite://{tmp_path}/features.db")
    stream = await again.read_stream(after_sequence=0, limit=100)
    [appended] = await again.append([event(3)], now_ms=NOW_MS)
    await again.close()
    assert [entry.sequence for entry in stream] == [*range(1, 11)]
    assert appended.is_duplicate


async def test_a_valkey_store_is_copied_as_it_is_at_one_moment_while_it_is_written_to(
    tmp_path: Path,
    valkey_container: DockerContainer,  # noqa: F811
) -> None:
    valkey_container.exec(["valkey-cli", "flushall"])
    url = valkey_url(valkey_container)
    store = await opened_and_told(url, 400)
    stop = asyncio.Event()

    async def go_on() -> int:
        number = 1000
        while not stop.is_set():
            await store.append([event(number)], now_ms=NOW_MS)
            number += 1
        return number - 1000

    writing = asyncio.create_task(go_on())
    position = await asyncio.to_thread(valkey_copy.take, url, tmp_path)
    stop.set()
    written = await writing
    stream = await store.read_stream(after_sequence=0, limit=100_000)
    assert 400 <= position.stream <= 400 + written
    await asyncio.to_thread(valkey_copy.restore, tmp_path, url)

    restored = await store.read_stream(after_sequence=0, limit=100_000)
    assert restored == stream[: position.stream]
    recent = (await store.profile(ANNA)).recent
    assert {one.sequence for one in recent} <= {entry.sequence for entry in restored}
    assert recent[0].sequence == position.stream
    [known] = await store.append([event(399)], now_ms=NOW_MS)
    [new] = await store.append([event(999)], now_ms=NOW_MS)
    assert (known.is_duplicate, new.sequence) == (True, position.stream + 1)
    records = await store.item_changes(after_sequence=0, limit=10)
    assert [(one.item_id, one.fields) for one in records] == [("i0", {"available": False})]
    await store.close()


@pytest.fixture
async def system(tmp_path: Path) -> System:
    """A store with ten events, and a lake with two of them."""
    volume = tmp_path / "volume"
    url = f"sqlite://{volume}/features.db"
    await (await opened_and_told(url, 10)).close()
    return System(volume, url)


async def test_a_changed_byte_is_found_before_anything_is_restored(tmp_path: Path, system: System) -> None:
    backup = tmp_path / "backup"
    whole.take(system, backup)
    with (backup / "store/features.db").open("r+b") as file:
        file.seek(5000)
        file.write(b"\xff\x00\xff")
    empty = System(tmp_path / "new", f"sqlite://{tmp_path}/new/features.db")

    with pytest.raises(DataError, match=r"store/features\.db: expected \d+ bytes with SHA-256 .* nothing was restored"):
        whole.restore(backup, empty, overwrite=False)

    assert not (tmp_path / "new/features.db").exists()


async def test_what_is_there_is_overwritten_only_when_told(tmp_path: Path, system: System) -> None:
    backup = tmp_path / "backup"
    whole.take(system, backup)

    with pytest.raises(DataError, match=r"features\.db is there: expected nothing there; --overwrite replaces it"):
        whole.restore(backup, system, overwrite=False)

    assert whole.restore(backup, system, overwrite=True).position == Position(stream=10, trimmed=0, items=1)


async def test_a_lake_that_a_sink_fills_is_not_restored(tmp_path: Path, system: System) -> None:
    backup = tmp_path / "backup"
    whole.take(system, backup)
    lake = Lake(system.volume, StreamInMemory(), batch=10)
    await lake.drain()

    with pytest.raises(DataError, match="an event sink is at work there; stop the services first"):
        whole.restore(backup, system, overwrite=True)

    lake.kill()


async def test_a_backup_that_was_not_finished_is_none(tmp_path: Path, system: System) -> None:
    backup = tmp_path / "backup"
    whole.take(system, backup)
    (backup / manifest.MANIFEST).unlink()
    with pytest.raises(DataError, match=r"expected a backup with backup\.json, found none: it was not finished"):
        whole.restore(backup, system, overwrite=True)


async def test_each_backup_has_a_folder_of_its_own(tmp_path: Path, system: System) -> None:
    whole.take(system, tmp_path / "backup")
    with pytest.raises(DataError, match="expected an empty folder, or none"):
        whole.take(system, tmp_path / "backup")


async def test_a_backup_of_another_kind_of_store_is_refused(tmp_path: Path, system: System) -> None:
    whole.take(system, tmp_path / "backup")
    with pytest.raises(DataError, match="its feature store is sqlite, and the target's is valkey"):
        whole.restore(tmp_path / "backup", System(tmp_path / "new", "valkey://127.0.0.1:1/0"), overwrite=False)


async def test_a_shop_without_a_lake_is_backed_up_too(tmp_path: Path, system: System) -> None:
    taken = whole.take(system, tmp_path / "backup")
    assert taken.lake_sequence is None
    assert not lake_dir(system.volume).exists()


def test_a_cluster_is_refused_before_anything_is_written_and_the_refusal_says_what_to_do(tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    system = System(tmp_path, "valkey+cluster://u:secret@127.0.0.1:1")

    with pytest.raises(DataError, match="snapshot of every node") as refused:
        whole.take(system, folder)
    with pytest.raises(DataError, match="snapshot of every node"):
        whole.restore(folder, system, overwrite=True)

    assert not folder.exists()
    assert "secret" not in str(refused.value)


def test_a_backup_that_fails_leaves_the_folder_as_it_was_and_the_next_one_is_taken_there(tmp_path: Path) -> None:
    folder, volume = tmp_path / "backup", tmp_path / "volume"

    with pytest.raises(StoreUnavailableError):
        whole.take(System(volume, "valkey://127.0.0.1:1"), folder)

    assert not any(folder.iterdir())
    assert whole.take(System(volume, ""), folder).store == "none"
