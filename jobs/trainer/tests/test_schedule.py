"""When a run is due, when there is nothing to do, and what happens after a failure."""

import logging
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lake_files import event, write_lake
from two_tastes import two_tastes

from recsys.artifact import layout
from recsys.artifact.reader import read_manifest
from recsys.errors import DataError, InvalidArgumentError
from trainer import pipeline, schedule
from trainer.choosing.recipe import ALSRecipe, PopularityRecipe, Recipe
from trainer.models.als import ALSSettings
from trainer.outcome import Outcome
from trainer.settings import Settings, ShopFiles
from trainer.shop_data import shop_files

HOUR_S = 3600.0
BAD = PopularityRecipe()  # where everybody has a taste


class Waits:
    """Notes how long was to be waited, and ends after so many waits."""

    def __init__(self, runs: int, *, after: Callable[[float], None] = lambda _: None) -> None:
        self.seconds: list[float] = []
        self._runs = runs
        self._after = after

    def wait(self, timeout: float) -> bool:
        self.seconds.append(timeout)
        self._after(timeout)
        return len(self.seconds) > self._runs


def trainer(volume: Path, recipe: Recipe | None = None) -> Callable[[], Outcome]:
    good = ALSRecipe(settings=ALSSettings(dim=2))
    return lambda: pipeline.train(
        two_tastes(), settings=Settings(artifact_dir=volume), recipe=recipe or good, force=False
    )


def run(
    volume: Path,
    train: Callable[[], Outcome],
    *,
    runs: int,
    min_new_events: int = 0,
    now: datetime | None = None,
    waits: Waits | None = None,
) -> list[float]:
    """How long each wait was."""
    waits = waits or Waits(runs)
    moment = now or datetime.now(UTC)
    schedule.run(
        train,
        every=timedelta(hours=1),
        min_new_events=min_new_events,
        volume=volume,
        lake_dir=volume / "lake",
        stop=waits,
        now=lambda: moment,
    )
    return waits.seconds


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("6h", 21600), ("1.5d", 129600)])
def test_an_interval_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert schedule.interval(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["6", "h", "0h", "-1h", "6 h", "6w", "36501d", "1" * 400 + "s"])
def test_what_is_no_interval_is_a_clear_error(text: str) -> None:
    with pytest.raises(InvalidArgumentError, match="such as 6h"):
        schedule.interval(text)


def test_an_empty_volume_is_trained_at_once_and_then_after_each_interval(tmp_path: Path) -> None:
    assert run(tmp_path, trainer(tmp_path), runs=1) == [0, HOUR_S]
    assert layout.current_version(tmp_path) is not None


def test_after_a_restart_the_next_run_is_one_interval_after_the_newest_version(tmp_path: Path) -> None:
    version = trainer(tmp_path)().version
    trained_at = read_manifest(layout.version_dir(tmp_path, version)).trained_at
    waits = [
        run(tmp_path, trainer(tmp_path), runs=0, now=trained_at + timedelta(minutes=minutes)) for minutes in (15, 300)
    ]
    assert waits == [[2700.0], [0.0]]


def test_with_too_few_new_events_there_is_no_run(tmp_path: Path) -> None:
    trainer(tmp_path)()
    write_lake(tmp_path / "lake", [event(1), event(2)])
    run(tmp_path, trainer(tmp_path), runs=1, min_new_events=3)
    assert len(layout.list_versions(tmp_path)) == 1
    run(tmp_path, trainer(tmp_path), runs=1, min_new_events=2)
    assert len(layout.list_versions(tmp_path)) == 2


def test_a_refused_version_is_logged_with_its_reasons_and_the_live_one_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    live = trainer(tmp_path)().version
    with caplog.at_level(logging.INFO, logger="trainer.schedule"):
        run(tmp_path, trainer(tmp_path, BAD), runs=1)
    told = [record for record in caplog.records if record.name == "trainer.schedule"]
    assert [record.message for record in told] == ["version refused"]
    assert any("live version" in reason for reason in vars(told[0])["reasons"])
    assert layout.current_version(tmp_path) == live


def test_a_run_that_fails_is_tried_again_later_and_later_but_within_an_interval(tmp_path: Path) -> None:
    left = [DataError("no file")] * 8

    def fails_at_first() -> Outcome:
        if left:
            raise left.pop()
        return trainer(tmp_path)()

    waits = run(tmp_path, fails_at_first, runs=9)
    assert waits == [0, 60, 120, 240, 480, 960, 1920, HOUR_S, HOUR_S, HOUR_S]
    assert layout.current_version(tmp_path) is not None


def grows(volume: Path, *sizes: int) -> Callable[[float], None]:
    """A lake that has so many events after each wait."""
    left = list(sizes)

    def waited(_: float) -> None:
        if left:
            shutil.rmtree(volume / "lake", ignore_errors=True)
            count = left.pop(0)
            write_lake(volume / "lake", [event(n, item_id=f"i{n:03}") for n in range(1, count + 1)])

    return waited


def young(volume: Path) -> Callable[[], Outcome]:
    """What trains a shop on the lake alone, which is popular items as long as nobody can judge."""
    settings = Settings(artifact_dir=volume)
    files = ShopFiles(None, None, None, None, starts_empty=True)
    return lambda: pipeline.train(
        shop_files.read(files, settings=settings)[0], settings=settings, recipe=None, force=False
    )


def test_a_young_shop_is_trained_when_as_much_came_in_as_it_knows(tmp_path: Path) -> None:
    young(tmp_path)()  # of nothing
    waits = Waits(40, after=grows(tmp_path, 1, 2, 3, 3, 5, 5, 6))
    trained: list[int] = []

    def train() -> Outcome:
        trained.append(len(waits.seconds))
        return young(tmp_path)()

    run(tmp_path, train, runs=0, min_new_events=1, waits=waits)
    assert trained == [1, 2, 5]  # with one event, with one more, then with three more, since it knows two
    assert set(waits.seconds) == {60.0}


def test_a_young_shop_whose_training_fails_is_not_tried_again_for_the_same_events(tmp_path: Path) -> None:
    young(tmp_path)()
    waits = Waits(30, after=grows(tmp_path, 3, 3, 3, 6))
    tried: list[int] = []

    def fails() -> Outcome:
        tried.append(len(waits.seconds))
        raise DataError("no room")

    run(tmp_path, fails, runs=0, min_new_events=1, waits=waits)
    assert tried[:3] == [1, 2, 4]  # at once, a minute after the failure, and with twice as many events


def test_a_shop_with_a_personal_model_waits_for_its_interval(tmp_path: Path) -> None:
    trainer(tmp_path)()
    write_lake(tmp_path / "lake", [event(n) for n in range(1, 50)])
    assert all(wait > HOUR_S - 60 for wait in run(tmp_path, trainer(tmp_path), runs=1))
