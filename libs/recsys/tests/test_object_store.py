"""Publishing in an object store: whole or not at all, with several writers and writers that are killed."""

import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import follow_store
import pytest

from recsys.artifact import layout, object_store
from recsys.artifact.object_store import ObjectStore
from recsys.errors import ArtifactError, ObjectStoreError
from tools.s3_server import S3

FIRST, SECOND, THIRD = (f"2026010{day}T000000Z-als-00000000" for day in (1, 2, 3))


@pytest.fixture(params=["s3", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    address = request.getfixturevalue("s3").address if request.param == "s3" else f"file://{tmp_path}/store"
    return ObjectStore(address, writes=True)


def publish(store: ObjectStore, volume, *versions: str) -> None:
    for seed, version in enumerate(versions):
        volume.publish(version, seed=seed)
        store.upload(volume.path, version)
        store.activate(version)


def test_an_empty_store_has_no_version(store: ObjectStore) -> None:
    assert store.current() is None
    assert (store.listing().versions, store.listing().held) == ([], [])


def test_what_was_published_is_there_byte_for_byte(store: ObjectStore, volume) -> None:
    publish(store, volume, FIRST)
    assert store.current() == FIRST
    directory = layout.version_dir(volume.path, FIRST)
    assert store.manifest_text(FIRST) == (directory / layout.MANIFEST).read_bytes()
    for name, entry in store.manifest(FIRST).files.items():
        blocks = [bytes(block) for block in store.blocks(FIRST, name, size=entry.bytes, block_bytes=100)]
        assert b"".join(blocks) == (directory / name).read_bytes()
        assert max(map(len, blocks)) <= 100


def test_a_version_that_is_not_there_is_neither_activated_nor_held(store: ObjectStore, volume) -> None:
    publish(store, volume, FIRST)
    for command in (store.activate, store.hold):
        with pytest.raises(ArtifactError, match=f"expected version '{SECOND}', found: {FIRST}"):
            command(SECOND)
    assert (store.current(), store.listing().held) == (FIRST, [])
    with pytest.raises(ArtifactError, match=f"expected a held version, found '{FIRST}'; held: none"):
        store.release(FIRST)


def test_the_oldest_are_removed_but_not_the_live_one_nor_those_held(store: ObjectStore, volume) -> None:
    publish(store, volume, FIRST, SECOND, THIRD)
    store.hold(FIRST)
    store.activate(SECOND)
    assert store.prune(keep=[]) == [THIRD]
    assert list(store.listing().written) == [FIRST, SECOND]
    store.release(FIRST)
    assert store.prune(keep=[]) == [FIRST]
    assert store.listing().versions == [SECOND]


def test_a_version_that_is_named_while_it_is_removed_stays(
    store: ObjectStore, volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(store, volume, FIRST, SECOND)
    delete = store._delete

    def named_just_before(*paths: str) -> None:
        if paths == (f"versions/{FIRST}/manifest.json",):
            ObjectStore(store.url, writes=True).activate(FIRST)
        delete(*paths)

    monkeypatch.setattr(store, "_delete", named_just_before)
    assert store.prune(keep=[]) == []
    assert store.current() == FIRST
    assert store.manifest(FIRST).version == FIRST
    assert set(store.listing().written[FIRST]) == {*store.manifest(FIRST).files, layout.MANIFEST}


def test_a_version_that_is_removed_while_it_is_named_leaves_the_one_before_live(
    store: ObjectStore, volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(store, volume, FIRST, SECOND)
    write = store._write

    def removed_just_before(path: str, content: bytes) -> None:
        monkeypatch.setattr(store, "_write", write)
        ObjectStore(store.url, writes=True).prune(keep=[])
        write(path, content)

    monkeypatch.setattr(store, "_write", removed_just_before)
    with pytest.raises(ArtifactError, match=f"expected version '{FIRST}', found: {SECOND}"):
        store.activate(FIRST)
    assert store.current() == SECOND


def test_two_trainers_at_once_leave_two_whole_versions_and_one_of_them_live(
    store: ObjectStore, new_volume: Callable
) -> None:
    failures: list[Exception] = []
    begin = threading.Barrier(2)

    def train(name: str, versions: list[str]) -> None:
        try:
            volume, its_store = new_volume(name), ObjectStore(store.url, writes=True)
            begin.wait()
            publish(its_store, volume, *versions)
            its_store.prune(keep=versions)
        except Exception as error:
            failures.append(error)

    of = {name: [f"2026010{day}T000000Z-{name}-00000000" for day in (1, 2, 3)] for name in ("one", "two")}
    threads = [threading.Thread(target=train, args=each) for each in of.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    live = store.current()
    assert live in (of["one"][-1], of["two"][-1])
    assert all(isinstance(error, ArtifactError) for error in failures), failures  # one removed what the other named
    for version in store.listing().versions:
        assert set(store.listing().written[version]) == {*store.manifest(version).files, layout.MANIFEST}
    assert live in store.listing().versions


@pytest.mark.parametrize(
    "killed_at",
    ["PUT .*/user_embeddings.npy", "PUT .*/items.arrow", "PUT .*/manifest.json", "PUT .*/CURRENT"],
)
def test_a_trainer_killed_while_it_publishes_leaves_the_one_before_live_and_begins_again(
    s3: S3, volume, killed_at: str
) -> None:
    store = ObjectStore(s3.address, writes=True)
    publish(store, volume, FIRST)
    volume.publish(SECOND, seed=1)
    s3.tell({"hold": killed_at})
    command = [sys.executable, follow_store.__file__, "publish", s3.address, str(volume.path), SECOND]
    with subprocess.Popen(command) as process:
        assert s3.wait_until_it_holds().startswith("PUT")
        process.kill()
    s3.tell()
    assert store.current() == FIRST
    assert store.listing().versions == ([FIRST, SECOND] if "CURRENT" in killed_at else [FIRST])
    subprocess.run(command, check=True)
    assert store.current() == SECOND
    assert set(store.listing().written[SECOND]) == {*store.manifest(SECOND).files, layout.MANIFEST}


def test_what_a_killed_upload_left_is_removed_a_day_later(
    store: ObjectStore, volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(store, volume, FIRST)
    store._write(f"versions/{SECOND}/items.arrow", b"half")
    store.prune(keep=[])
    assert SECOND in store.listing().written  # another trainer may be writing it
    monkeypatch.setattr(object_store, "_ABANDONED_AFTER", timedelta(days=-1))
    store.prune(keep=[])
    assert list(store.listing().written) == [FIRST]


@pytest.mark.parametrize("ask", ["current", "listing"])
def test_a_store_that_is_unavailable_is_an_error_that_names_it(
    s3: S3, ask: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_store, "_READS_FOR", timedelta(0))
    s3.tell({"unavailable": "yes"})
    with pytest.raises(ObjectStoreError, match=f"^{s3.address}: cannot (read CURRENT|list): .*503"):
        getattr(ObjectStore(s3.address), ask)()


def test_a_folder_that_is_missing_is_an_error_for_who_reads(tmp_path: Path) -> None:
    with pytest.raises(ObjectStoreError, match="cannot read CURRENT"):
        ObjectStore(f"file://{tmp_path}/none").current()


def test_a_store_whose_disk_is_full_keeps_what_is_live(volume, tmp_path: Path) -> None:
    store = ObjectStore(f"file://{tmp_path}/store", writes=True)
    publish(store, volume, FIRST)
    volume.publish(SECOND, seed=1)
    script = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); import runpy, sys\n"
    script += "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    command = [sys.executable, "-c", script, follow_store.__file__, "publish", store.url, str(volume.path), SECOND]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert "File too large" in ended.stderr
    assert (store.current(), store.listing().versions) == (FIRST, [FIRST])


def test_the_library_of_object_stores_is_imported_by_nobody_who_has_none() -> None:
    script = "import sys, recsys.rpc.service, recsys.artifact.writer; print('obstore' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "False\n"
