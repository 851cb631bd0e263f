"""A settings file is read again when it changes; what cannot be used changes nothing, and is told once."""

import logging
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from recsys.errors import DataError
from recsys.observability.metrics import new_registry
from recsys.watched_file import WatchedFile


def number(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"{path.name}: {type(error).__name__}") from error


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "number"
    path.write_text("1")
    return path


@pytest.fixture
def watched(path: Path) -> WatchedFile[int]:
    return WatchedFile("SHOP_NUMBER", path, number)


def metrics() -> dict[str, float]:
    lines = generate_latest(new_registry()).decode().splitlines()
    return {line.split("{")[0]: float(line.split()[-1]) for line in lines if 'setting="SHOP_NUMBER"' in line}


def test_new_content_is_taken_and_the_same_is_not_read_again(path: Path, watched: WatchedFile[int]) -> None:
    assert (watched.content, watched.look()) == (1, False)
    path.write_text("22")
    assert (watched.look(), watched.look(), watched.content) == (True, False, 22)


def test_bad_content_never_replaces_the_good_and_each_reason_is_told_once(
    path: Path, watched: WatchedFile[int], caplog: pytest.LogCaptureFixture
) -> None:
    before = metrics()
    for change in (lambda: path.write_text("one"), path.unlink, lambda: path.write_text("two")):
        change()
        assert (watched.look(), watched.look(), watched.content) == (False, False, 1)
    assert [(record.levelno, record.__dict__["reason"]) for record in caplog.records] == [
        (logging.ERROR, "number: ValueError"),
        (logging.ERROR, "number: FileNotFoundError"),
        (logging.ERROR, "number: ValueError"),
    ]
    during = metrics()
    assert during["recsys_settings_file_refused"] == 1
    assert during["recsys_settings_file_refusals_total"] == before["recsys_settings_file_refusals_total"] + 3
    path.write_text("3")
    assert (watched.look(), watched.content) == (True, 3)
    assert metrics()["recsys_settings_file_refused"] == 0


def test_a_file_that_can_be_read_at_last_is_read_though_it_did_not_change(tmp_path: Path) -> None:
    """Such as one whose owner was not this process's at first: that changes no time and no size."""
    path = tmp_path / "number"
    path.write_text("1")
    may_read = True

    def read(path: Path) -> int:
        if not may_read:
            raise DataError("may not")
        return number(path)

    watched = WatchedFile("SHOP_NUMBER", path, read)
    may_read = False
    path.write_text("22")
    assert (watched.look(), watched.content) == (False, 1)
    may_read = True
    assert (watched.look(), watched.content) == (True, 22)


def test_a_fault_in_reading_leaves_the_file_to_be_read_again(path: Path) -> None:
    faults = [RuntimeError("a bug")]

    def read(path: Path) -> int:
        content = number(path)
        if content == 22 and faults:
            raise faults.pop()
        return content

    watched = WatchedFile("SHOP_NUMBER", path, read)
    path.write_text("22")
    with pytest.raises(RuntimeError):
        watched.look()
    assert (watched.look(), watched.content) == (True, 22)


def test_a_file_that_is_bad_at_the_start_is_an_error(path: Path) -> None:
    path.write_text("one")
    with pytest.raises(DataError):
        WatchedFile("SHOP_NUMBER", path, number)
