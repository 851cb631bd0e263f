"""A volume follows an object store: whole versions only, whoever is killed, fails, is full or has wrong bytes."""

import logging
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import follow_store
import pytest

from recsys.artifact import layout, mirror, object_store, reports, runs, writer
from recsys.artifact.mirror import Mirror
from recsys.artifact.object_store import ObjectStore
from recsys.artifact.reader import newest_manifest, open_artifact
from recsys.errors import ArtifactError, ObjectStoreError
from recsys.observability.metrics import Metrics
from tools.s3_server import S3

FIRST, SECOND, THIRD, FOURTH = (f"2026010{day}T000000Z-als-00000000" for day in (1, 2, 3, 4))


class Clock:
    """The mirror's clock, set by hand; it does not pause."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        """No time passes."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(mirror, "time", clock)
    return clock


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(f"file://{tmp_path}/store", writes=True)


@pytest.fixture
def published(volume, store: ObjectStore) -> Callable[..., None]:
    """Publish versions on the trainer's volume and in the store."""

    def publish(*versions: str, to: ObjectStore = store) -> None:
        for version in versions:
            if version not in layout.list_versions(volume.path):
                volume.publish(version, seed=int(version[7]))
            to.upload(volume.path, version)
            to.activate(version)

    return publish


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """The volume of a service that has none in common with the trainer."""
    return tmp_path / "local"


def stored_file(store: ObjectStore, version: str, name: str) -> Path:
    return Path(store.url.removeprefix("file://")) / layout.VERSIONS / version / name


def metric(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_a_volume_becomes_what_the_store_has_live(published: Callable, store: ObjectStore, local: Path, volume) -> None:
    published(FIRST)
    Mirror(store, local).turn()
    assert layout.current_version(local) == FIRST
    for name in (*layout.DATA_FILES, layout.MANIFEST):
        here, there = (layout.version_dir(root, FIRST) / name for root in (local, volume.path))
        assert here.read_bytes() == there.read_bytes()
    assert open_artifact(layout.version_dir(local, FIRST)).manifest.version == FIRST


def test_nothing_published_is_nothing_to_follow(store: ObjectStore, local: Path) -> None:
    follower = Mirror(store, local)
    store.prune(keep=[])
    follower.turn()
    assert (layout.current_version(local), layout.list_versions(local)) == (None, [])


def test_the_live_version_those_held_and_the_one_before_stay_and_others_go(
    published: Callable, store: ObjectStore, local: Path
) -> None:
    follower = Mirror(store, local)
    published(FIRST)
    follower.turn()
    store.hold(FIRST)
    for version in (SECOND, THIRD, FOURTH):
        published(version)
        follower.turn()
    assert layout.current_version(local) == FOURTH
    assert layout.held_versions(local) == [FIRST]
    assert layout.list_versions(local) == [FIRST, THIRD, FOURTH]
    store.release(FIRST)
    Mirror(store, local).turn()  # another process, after a restart, knows the version before as well
    assert layout.list_versions(local) == [THIRD, FOURTH]


def test_going_back_to_the_version_before_fetches_nothing(published: Callable, store: ObjectStore, local: Path) -> None:
    follower = Mirror(store, local)
    for version in (FIRST, SECOND):
        published(version)
        follower.turn()
    before = layout.version_dir(local, FIRST).stat().st_ino
    store.activate(FIRST)
    follower.turn()
    assert layout.current_version(local) == FIRST
    assert layout.version_dir(local, FIRST).stat().st_ino == before
    assert layout.list_versions(local) == [FIRST, SECOND]


def test_the_newest_version_is_known_though_the_gate_refused_it_and_nobody_fetches_it(
    published: Callable, store: ObjectStore, local: Path, volume
) -> None:
    published(FIRST)
    volume.publish(SECOND)
    store.upload(volume.path, SECOND)
    Mirror(store, local).turn()
    newest = newest_manifest(local)
    assert newest is not None
    assert newest.version == SECOND
    assert layout.list_versions(local) == [FIRST]


def test_wrong_bytes_are_refused_with_the_file_and_fetched_again_alone_when_they_are_right(
    published: Callable, store: ObjectStore, local: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    metrics = Metrics()
    follower = Mirror(store, local, metrics=metrics.artifact)
    published(FIRST)
    follower.turn()
    published(SECOND)
    wrong = stored_file(store, SECOND, layout.ITEMS)
    right = wrong.read_bytes()
    wrong.write_bytes(right[:-1] + bytes([right[-1] ^ 1]))
    follower.turn()
    assert layout.current_version(local) == FIRST
    assert layout.list_versions(local) == [FIRST]
    assert metric(metrics, "recsys_artifact_store_failing", kind="refused") == 1
    [record] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert f"versions/{SECOND}/items.arrow: expected SHA-256" in record.__dict__["reason"]
    follower.turn()  # not due yet
    clock.now_s += 5
    follower.turn()
    assert metric(metrics, "recsys_artifact_store_failures_total") == 2
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 1  # told once
    kept = layout.version_dir(local, f".fetching-{SECOND}") / layout.USERS
    before = kept.stat().st_ino
    wrong.write_bytes(right)
    clock.now_s += 10
    follower.turn()
    assert layout.current_version(local) == SECOND
    assert (layout.version_dir(local, SECOND) / layout.USERS).stat().st_ino == before
    assert metric(metrics, "recsys_artifact_store_failing", kind="refused") is None


@pytest.mark.parametrize("size", [-10, 10])
def test_a_file_of_another_size_is_refused(published: Callable, store: ObjectStore, local: Path, size: int) -> None:
    published(FIRST)
    wrong = stored_file(store, FIRST, layout.USERS)
    right = wrong.read_bytes()
    wrong.write_bytes(right[:size] if size < 0 else right + bytes(size))
    with pytest.raises(ArtifactError, match=f"users.arrow: expected {len(right)} bytes, found {len(right) + size}"):
        Mirror(store, local).follow()
    assert layout.list_versions(local) == []


def test_a_missing_file_is_refused(published: Callable, store: ObjectStore, local: Path) -> None:
    published(FIRST)
    stored_file(store, FIRST, layout.USERS).unlink()
    with pytest.raises(ArtifactError, match=r"users.arrow: expected \d+ bytes, found none"):
        Mirror(store, local).follow()


@pytest.mark.parametrize("name", ["../../etc", ".hidden", "a/b"])
def test_a_name_that_leads_out_of_the_volume_is_refused(
    published: Callable, store: ObjectStore, local: Path, name: str
) -> None:
    published(FIRST)
    stored_file(store, FIRST, layout.MANIFEST).parents[2].joinpath(layout.CURRENT).write_text(f"{name}\n")
    with pytest.raises(ArtifactError, match="expected a version's name, found"):
        Mirror(store, local).follow()


def test_a_manifest_that_names_files_elsewhere_is_refused(published: Callable, store: ObjectStore, local: Path) -> None:
    published(FIRST)
    manifest = stored_file(store, FIRST, layout.MANIFEST)
    manifest.write_text(manifest.read_text().replace('"users.arrow"', '"../../../users.arrow"'))
    with pytest.raises(ArtifactError, match="expected names of files, found"):
        Mirror(store, local).follow()


def test_a_held_version_that_is_bad_keeps_no_other_away(published: Callable, store: ObjectStore, local: Path) -> None:
    published(FIRST, SECOND, THIRD)
    store.hold(FIRST)
    store.hold(SECOND)
    stored_file(store, FIRST, layout.USERS).write_bytes(b"")
    with pytest.raises(ArtifactError, match=FIRST):
        Mirror(store, local).follow()
    assert (layout.current_version(local), layout.held_versions(local)) == (THIRD, [SECOND])


def test_a_store_that_is_unavailable_costs_nothing_and_is_followed_again(
    published: Callable,
    s3: S3,
    local: Path,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(object_store, "_READS_FOR", timedelta(0))
    caplog.set_level(logging.INFO)
    metrics = Metrics()
    published(FIRST, to=ObjectStore(s3.address, writes=True))
    follower = Mirror(ObjectStore(s3.address), local, metrics=metrics.artifact)
    follower.turn()
    s3.tell({"unavailable": "yes"})
    for wait_s in (0, 5, 10):
        clock.now_s += wait_s
        follower.turn()
    assert layout.current_version(local) == FIRST
    assert metric(metrics, "recsys_artifact_store_failing", kind="unavailable") == 1
    assert metric(metrics, "recsys_artifact_store_failures_total") == 3
    s3.tell()
    published(SECOND, to=ObjectStore(s3.address, writes=True))
    clock.now_s += 20
    follower.turn()
    assert layout.current_version(local) == SECOND
    assert metric(metrics, "recsys_artifact_store_failing", kind="unavailable") is None
    told = [record.getMessage() for record in caplog.records if record.name == mirror.__name__]
    assert told[-2:] == ["artifact version fetched", "the artifact store is followed again"]
    assert told.count("the artifact store is not followed") == 1


def test_the_pauses_after_failures_grow_to_a_minute(store: ObjectStore, local: Path, clock: Clock) -> None:
    metrics = Metrics()
    follower = Mirror(store, local, metrics=metrics.artifact)
    shutil.rmtree(store.url.removeprefix("file://"), ignore_errors=True)
    follower = Mirror(ObjectStore(store.url), local, metrics=metrics.artifact)
    turns = []
    for _ in range(300):
        before = metric(metrics, "recsys_artifact_store_failures_total")
        follower.turn()
        if metric(metrics, "recsys_artifact_store_failures_total") != before:
            turns.append(clock.now_s)
        clock.now_s += 1
    assert [after - before for before, after in pairwise(turns)] == [5, 10, 20, 40, 60, 60, 60]


@pytest.mark.parametrize("killed_at", ["GET .*/manifest.json", "GET .*/user_embeddings.npy", "GET .*/items.arrow"])
def test_a_service_killed_while_it_fetches_goes_on_with_what_it_lacks(
    published: Callable, s3: S3, local: Path, killed_at: str
) -> None:
    published(FIRST, to=ObjectStore(s3.address, writes=True))
    command = [sys.executable, follow_store.__file__, "follow", s3.address, str(local)]
    subprocess.run(command, check=True)
    published(SECOND, to=ObjectStore(s3.address, writes=True))
    s3.tell({"hold": killed_at.replace("/", f"/{SECOND}/", 1)})
    with subprocess.Popen(command) as process:
        s3.wait_until_it_holds()
        process.kill()
    fetched = {request.rpartition("/")[2] for request in s3.requests() if request.startswith("GET")}
    assert (layout.current_version(local), layout.list_versions(local)) == (FIRST, [FIRST])
    assert open_artifact(layout.version_dir(local, FIRST))
    s3.tell()
    subprocess.run(command, check=True)
    again = {request.rpartition("/")[2] for request in s3.requests() if request.startswith("GET")}
    assert layout.current_version(local) == SECOND
    assert open_artifact(layout.version_dir(local, SECOND))
    killed_in = killed_at.rpartition("/")[2]
    assert (fetched & again) & set(layout.DATA_FILES) == {killed_in} & set(layout.DATA_FILES)
    assert [path.name for path in (local / layout.VERSIONS).iterdir() if path.name.startswith(".")] == []


def test_a_volume_without_room_says_so_before_it_fetches(
    published: Callable, store: ObjectStore, local: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(FIRST)
    follower = Mirror(store, local)
    follower.follow()
    published(SECOND)
    monkeypatch.setattr(mirror.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**6, 10**6 - 100, 100))
    with pytest.raises(OSError, match=r"a version needs .* bytes, free are 100"):
        follower.follow()
    assert (layout.current_version(local), layout.list_versions(local)) == (FIRST, [FIRST])
    assert not layout.version_dir(local, f".fetching-{SECOND}").exists()


def test_a_volume_that_fills_up_while_it_fetches_is_cleared_and_keeps_what_is_live(
    published: Callable, store: ObjectStore, local: Path
) -> None:
    published(FIRST)
    command = [sys.executable, follow_store.__file__, "follow", store.url, str(local)]
    subprocess.run(command, check=True)
    published(SECOND)
    ended = subprocess.run([*command, "1000"], check=False, capture_output=True, text=True)
    assert "File too large" in ended.stderr
    assert (layout.current_version(local), layout.list_versions(local)) == (FIRST, [FIRST])
    assert not layout.version_dir(local, f".fetching-{SECOND}").exists()
    subprocess.run(command, check=True)
    assert layout.current_version(local) == SECOND


def test_of_two_processes_on_one_volume_one_follows(published: Callable, s3: S3, local: Path) -> None:
    published(FIRST, to=ObjectStore(s3.address, writes=True))
    s3.tell({"hold": "GET .*/items.arrow"})
    command = [sys.executable, follow_store.__file__, "follow", s3.address, str(local)]
    with subprocess.Popen(command) as process:
        s3.wait_until_it_holds()
        Mirror(ObjectStore(s3.address), local).turn()  # at once: it would be held otherwise
        process.kill()
    s3.tell()
    Mirror(ObjectStore(s3.address), local).turn()
    assert layout.current_version(local) == FIRST


def test_a_version_removed_from_the_store_while_it_is_fetched_is_refused(
    published: Callable, store: ObjectStore, local: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(FIRST, SECOND)
    expect_room = Mirror._expect_room

    def removed(self: Mirror, needed: int) -> None:
        expect_room(self, needed)
        store.activate(FIRST)
        store.prune(keep=[])

    monkeypatch.setattr(Mirror, "_expect_room", removed)
    with pytest.raises(ArtifactError, match="found none"):
        Mirror(store, local).follow()
    monkeypatch.setattr(Mirror, "_expect_room", expect_room)
    Mirror(store, local).turn()
    assert layout.current_version(local) == FIRST
    assert [path.name for path in (local / layout.VERSIONS).iterdir()] == [FIRST]


def test_told_to_end_a_mirror_ends_in_the_middle_of_a_file(published: Callable, s3: S3, local: Path) -> None:
    published(FIRST, to=ObjectStore(s3.address, writes=True))
    follower = Mirror(ObjectStore(s3.address), local)
    follower._stopped.set()
    with pytest.raises(ObjectStoreError, match="told to end while fetching"):
        follower.follow()
    assert layout.list_versions(local) == []


def test_what_a_killed_process_did_not_remove_to_its_end_is_removed(
    published: Callable, store: ObjectStore, local: Path
) -> None:
    published(FIRST)
    half_removed = layout.version_dir(local, f".incomplete-{SECOND}")
    half_removed.mkdir(parents=True)
    (half_removed / layout.USERS).write_bytes(b"half")
    Mirror(store, local).turn()
    assert [path.name for path in (local / layout.VERSIONS).iterdir()] == [FIRST]


def test_told_to_end_a_mirror_does_not_wait_for_a_store_that_hangs(
    published: Callable, s3: S3, local: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "_ENDS_WITHIN_S", 0.0)
    published(FIRST, to=ObjectStore(s3.address, writes=True))
    s3.tell({"hold": "GET .*/items.arrow"})
    follower = Mirror(ObjectStore(s3.address), local)
    follower.start()
    s3.wait_until_it_holds()
    follower.stop()  # would be held otherwise
    s3.tell()
    follower._thread.join()
    assert layout.list_versions(local) == []


def test_what_was_removed_by_hand_is_fetched_again(published: Callable, store: ObjectStore, local: Path) -> None:
    published(FIRST)
    follower = Mirror(store, local)
    follower.turn()
    shutil.rmtree(layout.version_dir(local, FIRST))
    follower.turn()
    assert open_artifact(layout.version_dir(local, FIRST))
    writer.activate(local, FIRST)


def test_what_runs_left_comes_along_also_of_versions_that_are_gone(
    volume, store: ObjectStore, published: Callable[..., None], local: Path
) -> None:
    published(FIRST, SECOND)
    for version in (FIRST, SECOND):
        runs.note(volume.path, version)
    for name in (f"{FIRST}.html", f"{FIRST}.json", "rows.json"):
        (volume.path / "reports" / name).write_text(f"{name} of the trainer")
    for version in (FIRST, SECOND, THIRD):  # the last one is no run
        store.upload_run(volume.path, version)
    store.prune(keep=[])

    Mirror(store, local).follow()

    assert [run.version for run in runs.read(local)] == [FIRST, SECOND]
    assert runs.read(local) == runs.read(volume.path)
    assert reports.html(local, FIRST) == f"{FIRST}.html of the trainer"
    assert reports.html(local, SECOND) is None
    assert sorted(path.name for path in (local / "reports").iterdir()) == sorted(
        [f"{FIRST}.html", f"{FIRST}.json", f"{FIRST}.run.json", f"{SECOND}.run.json", "rows.json"]
    )


def test_a_run_is_fetched_once_and_its_trainer_tells_it_once(
    volume, store: ObjectStore, published: Callable[..., None], local: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(FIRST)
    runs.note(volume.path, FIRST)
    store.upload_run(volume.path, FIRST)
    Mirror(store, volume.path).follow()
    assert [run.version for run in runs.read(volume.path)] == [FIRST]
    Mirror(store, local).follow()
    monkeypatch.setattr(ObjectStore, "report", lambda *_: pytest.fail("fetched again"))
    Mirror(store, local).follow()
