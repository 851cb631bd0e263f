"""A service follows the live version, keeps the one before, and never swaps a good model for a bad one."""

import pytest
from waiting import until

from recsys.artifact import layout, writer
from recsys.artifact.reader import Artifact
from recsys.artifact.watcher import Watcher
from recsys.errors import ArtifactError, ModelNotLoadedError, VersionNotHeldError
from recsys.observability.metrics import Metrics

FIRST, SECOND, THIRD, FOURTH = (f"2026010{day}T000000Z-als-00000000" for day in (1, 2, 3, 4))


class Clock:
    """The watcher's clock, set by hand."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("recsys.artifact.watcher.time", clock)
    return clock


def watch(volume, **options) -> Watcher[str]:
    def load(artifact: Artifact) -> str:
        return f"model of {artifact.manifest.version}"

    defaults = {"load": load, "metrics": Metrics().artifact}
    return Watcher(volume.path, poll_interval_s=60, **defaults | options)


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

    watcher: Watcher[str] = Watcher(volume.path, load=load, poll_interval_s=0.01, metrics=Metrics().artifact)
    watcher.start()
    volume.publish(FIRST)
    volume.publish(SECOND)
    try:
        until(watcher.held)
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


def test_a_version_that_somebody_holds_answers_until_it_is_released(volume, clock: Clock) -> None:
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
    clock.now_s += 11
    watcher.poll()
    assert watcher.held() == [THIRD, SECOND]


def test_a_version_that_requests_ask_for_stays_until_they_have_ceased_for_a_while(volume, clock: Clock) -> None:
    watcher = watch(volume)
    for version in (FIRST, SECOND):
        volume.publish(version)
        watcher.poll()
    for version in (THIRD, FOURTH):
        watcher.get(FIRST)  # as where candidate_gen refuses what the reranker takes
        volume.publish(version)
        clock.now_s += 9
        watcher.poll()
        assert watcher.get(FIRST) == f"model of {FIRST}"
    assert watcher.held() == [FOURTH, THIRD, FIRST]
    clock.now_s += 11
    watcher.poll()
    assert watcher.held() == [FOURTH, THIRD]


def test_a_new_version_is_held_at_once_and_answers_when_its_time_has_come(volume, clock: Clock) -> None:
    watcher = watch(volume, take_after_s=2)
    volume.publish(FIRST)
    watcher.poll()
    assert watcher.current() == f"model of {FIRST}"  # the first one has nothing to wait for
    volume.publish(SECOND)
    watcher.poll()
    assert (watcher.current(), watcher.get(SECOND)) == (f"model of {FIRST}", f"model of {SECOND}")
    assert watcher.held() == [FIRST, SECOND]
    clock.now_s += 1.9
    watcher.poll()
    assert watcher.held() == [FIRST, SECOND]
    clock.now_s += 0.1
    watcher.poll()
    assert watcher.held() == [SECOND, FIRST]
    assert watcher.current() == f"model of {SECOND}"


def test_what_was_named_and_named_otherwise_before_its_time_never_answers(volume, clock: Clock) -> None:
    watcher = watch(volume, take_after_s=2)
    for version in (FIRST, SECOND):
        volume.publish(version)
        watcher.poll()
    writer.activate(volume.path, FIRST)
    clock.now_s += 2
    watcher.poll()
    assert watcher.current() == f"model of {FIRST}"
    assert watcher.held() == [FIRST]


def test_a_version_is_warmed_before_it_is_held_and_refused_where_that_fails(volume) -> None:
    seen_while_warming = []

    def warm(model: str) -> None:
        seen_while_warming.append((model, watcher.held()))
        if SECOND in model:
            raise ArtifactError("similar.faiss: answers nothing")

    watcher = watch(volume, warm=warm)
    for version in (FIRST, SECOND, THIRD):
        volume.publish(version)
        watcher.poll()
    assert seen_while_warming == [
        (f"model of {FIRST}", []),
        (f"model of {SECOND}", [FIRST]),
        (f"model of {THIRD}", [FIRST]),
    ]
    assert watcher.held() == [THIRD, FIRST]


def test_what_is_held_taken_and_refused_is_in_the_metrics(volume) -> None:
    metrics = Metrics()

    def value(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(f"recsys_artifact_{name}", labels)

    watcher = watch(volume, metrics=metrics.artifact)
    volume.publish(FIRST)
    watcher.poll()
    assert value("held", version=FIRST) == 1
    assert all(value("load_seconds", step=step) is not None for step in ("open", "build", "warm"))
    (volume.publish(SECOND) / "items.arrow").unlink()
    watcher.poll()
    watcher.poll()
    assert value("refusals_total") == 1
    assert value("refused", reason=watcher.refused) == 1
    refused = watcher.refused
    volume.publish(THIRD)
    watcher.poll()
    assert (value("held", version=FIRST), value("held", version=THIRD)) == (0, 1)
    assert (value("refused", reason=refused), value("refusals_total")) == (None, 1)


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


def test_that_the_versions_to_hold_cannot_be_read_is_told_once_and_anew_after_they_could(
    volume, caplog: pytest.LogCaptureFixture
) -> None:
    volume.publish(FIRST)
    watcher = watch(volume)
    pins = volume.path / layout.HELD
    for _ in range(2):
        pins.mkdir()
        for _ in range(3):
            watcher.poll()
        pins.rmdir()
        watcher.poll()
    told = [record for record in caplog.records if record.message == "the versions to hold cannot be read"]
    assert len(told) == 2
