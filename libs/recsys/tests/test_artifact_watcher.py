"""A service follows the live version, keeps the one before, and never swaps a good model for a bad one."""

import pytest

from recsys.artifact import writer
from recsys.artifact.reader import Artifact
from recsys.artifact.watcher import Watcher
from recsys.errors import ArtifactError, ModelNotLoadedError, VersionNotHeldError

FIRST, SECOND, THIRD = (f"2026010{day}T000000Z-als-00000000" for day in (1, 2, 3))


def watch(volume, **options) -> Watcher[str]:
    def load(artifact: Artifact) -> str:
        return f"model of {artifact.manifest.version}"

    return Watcher(volume.path, poll_interval_s=60, **{"load": load} | options)


def test_without_a_version_there_is_no_model(volume) -> None:
    watcher = watch(volume)
    watcher.poll()
    with pytest.raises(ModelNotLoadedError, match="no version has been published"):
        watcher.current()
    assert watcher.held() == []


def test_the_live_version_is_loaded_and_announced(volume) -> None:
    announced = []
    watcher = watch(volume, on_loaded=lambda: announced.append("loaded"))
    volume.publish(FIRST)
    watcher.poll()
    watcher.poll()
    assert watcher.current() == f"model of {FIRST}"
    assert announced == ["loaded"]


def test_the_version_before_stays_and_the_one_before_that_goes(volume) -> None:
    watcher = watch(volume)
    for version in (FIRST, SECOND, THIRD):
        volume.publish(version)
        watcher.poll()
    assert watcher.held() == [THIRD, SECOND]
    assert watcher.get(SECOND) == f"model of {SECOND}"
    with pytest.raises(VersionNotHeldError, match=f"'{FIRST}' is not held; held: {THIRD}, {SECOND}"):
        watcher.get(FIRST)


def test_going_back_swaps_to_the_model_in_memory(volume) -> None:
    loads = []

    def load(artifact: Artifact) -> str:
        loads.append(artifact.manifest.version)
        return artifact.manifest.version

    watcher = watch(volume, load=load)
    for version in (FIRST, SECOND):
        volume.publish(version)
        watcher.poll()
    writer.activate(volume.path, FIRST)
    watcher.poll()
    assert watcher.current() == FIRST
    assert watcher.held() == [FIRST, SECOND]
    assert loads == [FIRST, SECOND]


def test_a_bad_version_is_refused_with_its_reason_and_the_old_one_serves_on(volume) -> None:
    watcher = watch(volume)
    volume.publish(FIRST)
    watcher.poll()
    (volume.publish(SECOND) / "items.arrow").unlink()
    watcher.poll()
    assert watcher.current() == f"model of {FIRST}"
    assert "items.arrow" in watcher.refused


def test_a_version_that_the_service_itself_cannot_use_is_refused(volume) -> None:
    def load(artifact: Artifact) -> str:
        if artifact.manifest.version == SECOND:
            raise ArtifactError("retrieval.faiss: dim 4, manifest says 3")
        return artifact.manifest.version

    watcher = watch(volume, load=load)
    for version in (FIRST, SECOND):
        volume.publish(version)
        watcher.poll()
    assert watcher.current() == FIRST
    assert watcher.refused == "retrieval.faiss: dim 4, manifest says 3"


def test_activating_a_mended_version_again_takes_it(volume) -> None:
    watcher = watch(volume)
    broken = volume.publish(FIRST) / "items.arrow"
    content = broken.read_bytes()
    broken.write_bytes(b"")
    watcher.poll()
    assert watcher.held() == []
    broken.write_bytes(content)
    writer.activate(volume.path, FIRST)
    watcher.poll()
    assert watcher.current() == f"model of {FIRST}"
    assert watcher.refused == ""


def test_a_version_that_was_pointed_at_but_is_not_there_is_refused(volume) -> None:
    volume.publish(FIRST)
    (volume.path / "CURRENT").write_text("nowhere\n")
    watcher = watch(volume)
    watcher.poll()
    with pytest.raises(ModelNotLoadedError, match=r"nowhere/manifest.json: expected a manifest"):
        watcher.current()


def test_a_fault_while_loading_does_not_end_the_watch(volume) -> None:
    def load(artifact: Artifact) -> str:
        if artifact.manifest.version == FIRST:
            raise RuntimeError("a bug")
        return artifact.manifest.version

    watcher: Watcher[str] = Watcher(volume.path, load=load, poll_interval_s=0.01)
    watcher.start()
    volume.publish(FIRST)
    volume.publish(SECOND)
    try:
        for _ in range(500):
            if watcher.held():
                break
            watcher._stopped.wait(0.01)
    finally:
        watcher.stop()
    assert watcher.held() == [SECOND]


def test_a_passing_fault_of_the_volume_is_tried_again(volume) -> None:
    faults = iter([OSError("too many open files")])

    def load(artifact: Artifact) -> str:
        for fault in faults:
            raise fault
        return artifact.manifest.version

    watcher = watch(volume, load=load)
    volume.publish(FIRST)
    watcher.poll()
    assert watcher.refused == "too many open files"
    watcher.poll()
    assert (watcher.current(), watcher.refused) == (FIRST, "")


def test_a_version_that_somebody_holds_answers_until_it_is_released(volume) -> None:
    loads = []

    def load(artifact: Artifact) -> str:
        loads.append(artifact.manifest.version)
        return artifact.manifest.version

    watcher = watch(volume, load=load)
    volume.publish(FIRST)
    writer.hold(volume.path, FIRST)
    watcher.poll()
    for version in (SECOND, THIRD):
        volume.publish(version)
        watcher.poll()
    assert watcher.held() == [THIRD, SECOND, FIRST]
    assert (watcher.get(FIRST), watcher.current()) == (FIRST, THIRD)
    assert loads == [FIRST, SECOND, THIRD]  # in memory all the time
    writer.release(volume.path, FIRST)
    watcher.poll()
    assert watcher.held() == [THIRD, SECOND]


def test_a_version_held_later_is_loaded_and_going_live_again_needs_no_load(volume) -> None:
    loads = []

    def load(artifact: Artifact) -> str:
        loads.append(artifact.manifest.version)
        return artifact.manifest.version

    watcher = watch(volume, load=load)
    for version in (FIRST, SECOND, THIRD):
        volume.publish(version)
        watcher.poll()
    writer.hold(volume.path, FIRST)
    watcher.poll()
    writer.activate(volume.path, FIRST)
    watcher.poll()
    assert watcher.held() == [FIRST, THIRD]
    assert loads == [FIRST, SECOND, THIRD, FIRST]


def test_a_version_to_hold_that_is_bad_is_told_of_once_and_disturbs_nothing(volume, caplog) -> None:
    volume.publish(FIRST)
    volume.publish(SECOND)
    writer.hold(volume.path, FIRST)
    (volume.path / "versions" / FIRST / "items.arrow").write_bytes(b"")
    watcher = watch(volume)
    watcher.poll()
    watcher.poll()
    assert watcher.held() == [SECOND]
    assert [record.message for record in caplog.records].count("version to hold refused") == 1
    with pytest.raises(VersionNotHeldError):
        watcher.get(FIRST)
