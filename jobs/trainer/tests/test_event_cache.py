"""Files that have not changed are not read again, and nobody erased stays in what is kept of them."""

import os
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from two_tastes import two_tastes

from recsys.errors import DataError
from recsys.ids import user_hash
from trainer.shop_data import event_cache, event_files
from trainer.shop_data.event_files import LoadedEvents
from trainer.shop_data.mapping import ColumnMapping


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "events.csv"
    two_tastes(n_users=4).events.write_csv(path)
    with path.open("a") as lines:
        lines.write(",i001,purchase,2026-02-01T00:00:00Z,1,\n")
    return path


def load(file: Path, mapping: ColumnMapping | None = None, erased: tuple[str, ...] = ()) -> LoadedEvents:
    return event_cache.load(
        file,
        mapping=mapping or ColumnMapping(),
        quarantine_path=file.parent / "quarantine.csv",
        catalogue_path=None,
        cache_dir=file.parent / "cache",
        erased=frozenset(user_hash(user_id) for user_id in erased),
    )


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every file that is read as files are."""
    paths: list[Path] = []
    read = event_files.load

    def noted(path: Path, **named: object) -> LoadedEvents:
        paths.append(path)
        return read(path, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(event_files, "load", noted)
    return paths


def test_the_second_reading_is_of_what_was_kept_and_says_the_same(file: Path, readings: list[Path]) -> None:
    first, second = load(file), load(file)
    assert readings == [file]
    assert_frame_equal(first.frame, second.frame)
    assert_frame_equal(first.catalogue, second.catalogue)
    assert first.report == second.report
    assert second.report.events.rejected[0].reason == "missing user_id"


def test_another_time_of_change_or_another_mapping_is_read_again(file: Path, readings: list[Path]) -> None:
    load(file)
    os.utime(file, ns=(1, 1))
    load(file)
    assert len(list((file.parent / "cache").iterdir())) == 4  # events, items now and at first, and report of the last
    load(file, ColumnMapping(weights={"wish": 2}))
    assert len(readings) == 3


def test_runs_with_other_mappings_do_not_push_out_what_the_others_keep(file: Path, readings: list[Path]) -> None:
    other = ColumnMapping(weights={"wish": 2})
    for mapping in (None, other, None, other):
        load(file, mapping)
    assert len(readings) == 2


def test_nobody_erased_stays_in_what_another_run_keeps(file: Path, readings: list[Path]) -> None:
    load(file)
    load(file, ColumnMapping(weights={"wish": 2}), erased=("u001",))
    kept = [pl.read_parquet(path) for path in (file.parent / "cache").glob("*.events.parquet")]
    assert len(kept) == 1
    assert "u001" not in kept[0]["user_id"]


def test_nobody_erased_is_in_what_is_returned_or_kept(file: Path, readings: list[Path]) -> None:
    load(file)
    loaded = load(file, erased=("u001",))
    assert readings == [file]
    assert set(loaded.frame["user_id"]) == {"u000", "u002", "u003"}
    (kept,) = (file.parent / "cache").glob("*.events.parquet")
    assert "u001" not in pl.read_parquet(kept)["user_id"]
    assert "u001" not in load(file, erased=("u001",)).frame["user_id"]
    assert readings == [file]


@pytest.mark.parametrize("suffix", [".events.parquet", ".items.parquet", ".json"])
def test_what_was_kept_and_cannot_be_read_any_more_is_made_again(file: Path, readings: list[Path], suffix: str) -> None:
    first = load(file)
    (kept,) = (file.parent / "cache").glob(f"*{suffix}")
    kept.write_bytes(kept.read_bytes()[:-20])
    assert_frame_equal(load(file).frame, first.frame)
    assert_frame_equal(load(file).frame, first.frame)
    assert readings == [file] * 2


def test_a_folder_that_somebody_put_there_stays(file: Path) -> None:
    folder = file.parent / "cache" / "mine"
    folder.mkdir(parents=True)
    load(file)
    assert folder.is_dir()
    assert len(list(folder.parent.glob("*.parquet"))) == 3


def test_what_cannot_be_kept_is_an_error_that_names_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise pl.exceptions.ComputeError("No space left on device")

    monkeypatch.setattr(pl.DataFrame, "write_parquet", full)
    with pytest.raises(DataError, match=r"events\.parquet: cannot be written: No space left"):
        load(file)
