"""A version is there whole or not at all, whenever its writer is killed."""

import itertools
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from recsys.artifact import layout, writer
from recsys.artifact.reader import open_artifact
from recsys.errors import ArtifactError

FIRST = "20260101T000000Z-als-00000000"
SECOND = "20260102T000000Z-als-00000000"


def publish_and_die(volume, monkeypatch: pytest.MonkeyPatch, *, at_step: int) -> bool:
    """Publish SECOND in a child process that kills itself the n-th time it is about to touch the disk.

    Returns whether it was killed.
    """
    child = os.fork()
    if child == 0:
        steps = itertools.count()
        for name in ("fsync", "replace", "rename", "mkdir", "symlink"):
            monkeypatch.setattr(os, name, _killing(getattr(os, name), steps, at_step))
        volume.publish(SECOND, seed=1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def _killing(call: Callable[..., object], steps: Iterator[int], at_step: int) -> Callable[..., object]:
    def wrapper(*args: object, **kwargs: object) -> object:
        if next(steps) == at_step:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **kwargs)

    return wrapper


@pytest.mark.parametrize("has_live_folder", [False, True], ids=["volume", "volume-with-live-folder"])
def test_a_writer_killed_at_any_step_leaves_the_old_version_or_the_new_one_whole(
    new_volume, monkeypatch, has_live_folder: bool
) -> None:
    kills = 0
    while True:
        volume = new_volume(f"killed-at-{kills}")
        volume.publish(FIRST)
        if has_live_folder:
            (volume.path / layout.LIVE).mkdir()
        killed = publish_and_die(volume, monkeypatch, at_step=kills)
        assert layout.current_version(volume.path) in {FIRST, SECOND}
        for version in layout.list_versions(volume.path):
            open_artifact(layout.version_dir(volume.path, version))
        if not killed:
            break
        if layout.list_versions(volume.path) == [FIRST]:
            volume.publish(SECOND)  # nothing of the dead writer is in the way of the next one
            assert sorted(os.listdir(volume.path / "versions")) == [FIRST, SECOND]
        kills += 1
    assert layout.current_version(volume.path) == SECOND
    assert kills > 21  # one for each of the 18 files, the directories, the rename, the pointer


def test_a_version_of_the_same_name_is_refused(volume) -> None:
    volume.publish(FIRST)
    with pytest.raises(ArtifactError, match="expected a new version, found one of this name"):
        volume.publish(FIRST)


@pytest.mark.parametrize("name", ["nope", "", ".", "../versions", ".incomplete-x"])
def test_only_a_version_that_exists_becomes_live(volume, name: str) -> None:
    volume.publish(FIRST)
    (volume.path / "versions" / ".incomplete-x").mkdir()
    with pytest.raises(ArtifactError, match=f"expected version {name!r}, found: {FIRST}"):
        writer.activate(volume.path, name)
    assert layout.current_version(volume.path) == FIRST


def test_where_there_is_a_folder_for_it_the_pointer_is_kept_there_and_linked_to(volume) -> None:
    volume.publish(FIRST)
    volume.publish(SECOND)
    (volume.path / "live").mkdir()
    writer.activate(volume.path, FIRST)
    assert (volume.path / "CURRENT").readlink() == Path("live/CURRENT")
    writer.activate(volume.path, SECOND)
    assert (volume.path / "live/CURRENT").read_text() == f"{SECOND}\n"
    assert (volume.path / "CURRENT").is_symlink()
    assert layout.current_version(volume.path) == SECOND


def test_pruning_keeps_what_it_is_told_to_and_the_live_one(volume) -> None:
    for day in range(1, 6):
        volume.publish(f"2026010{day}T000000Z-als-00000000")
    writer.activate(volume.path, FIRST)
    newest = layout.list_versions(volume.path)[-2:]
    assert writer.prune(volume.path, keep=newest) == ["20260102T000000Z-als-00000000", "20260103T000000Z-als-00000000"]
    assert [v[:8] for v in layout.list_versions(volume.path)] == ["20260101", "20260104", "20260105"]
    assert layout.current_version(volume.path) == FIRST


def test_a_held_version_outlives_pruning_until_it_is_released(volume) -> None:
    volume.publish(FIRST)
    volume.publish(SECOND)
    writer.hold(volume.path, FIRST)
    assert layout.held_versions(volume.path) == [FIRST]
    assert writer.prune(volume.path, keep=[]) == []
    writer.release(volume.path, FIRST)
    assert layout.held_versions(volume.path) == []
    assert writer.prune(volume.path, keep=[]) == [FIRST]


def test_versions_are_held_once_each_and_only_if_they_exist(volume) -> None:
    volume.publish(FIRST)
    volume.publish(SECOND)
    assert layout.held_versions(volume.path) == []
    for version in (SECOND, FIRST, SECOND):
        writer.hold(volume.path, version)
    assert (volume.path / "HELD").read_text() == f"{FIRST}\n{SECOND}\n"
    with pytest.raises(ArtifactError, match="expected version 'nope', found: "):
        writer.hold(volume.path, "nope")
    with pytest.raises(ArtifactError, match=f"expected a held version, found 'nope'; held: {FIRST}, {SECOND}"):
        writer.release(volume.path, "nope")


def test_a_volume_where_nothing_was_published_has_no_version(tmp_path: Path) -> None:
    assert layout.current_version(tmp_path) is None
    assert layout.list_versions(tmp_path / "nowhere") == []


def test_a_reader_never_sees_anything_but_whole_versions_while_writers_publish(volume) -> None:
    volume.publish(FIRST)
    names = [f"2026020{day}T000000Z-als-00000000" for day in range(1, 9)]
    writers = threading.Thread(target=lambda: [volume.publish(name) for name in names])
    writers.start()
    seen = set()
    while writers.is_alive():
        live = layout.current_version(volume.path)
        assert live is not None
        seen.add(open_artifact(layout.version_dir(volume.path, live)).manifest.version)
    writers.join()
    assert layout.current_version(volume.path) == names[-1]
    assert seen <= {FIRST, *names}
    assert os.listdir(volume.path / "versions").count(names[-1]) == 1
