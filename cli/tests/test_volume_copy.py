"""The volume's copy: what is there, what is live and what is held, whatever the trainer does meanwhile."""

import shutil
from pathlib import Path

import pytest
import tiny_artifact

from recsys.artifact import layout, writer
from recsys.artifact.reader import open_artifact
from recsys_cli.backup import volume_copy

SHOP = tiny_artifact.checkerboard()


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """Three versions, the last one live and the first one held, and what else lies on a volume."""
    volume = tmp_path / "volume"
    for version in ("v1", "v2", "v3"):
        tiny_artifact.publish(SHOP, volume, version=version)
    writer.hold(volume, "v1")
    (volume / "reports").mkdir()
    (volume / "reports/v3.html").write_text("a report")
    (volume / "cursor.key").write_text("secret")
    (volume / "cursor.key").chmod(0o600)
    (volume / "features.db").write_text("the store has a copy of its own")
    return volume


def test_a_volume_is_restored_as_it_was(tmp_path: Path, volume: Path) -> None:
    assert volume_copy.take(volume, tmp_path / "copy") == ("v3", ["v1", "v2", "v3"])

    volume_copy.restore(tmp_path / "copy", tmp_path / "new")

    new = tmp_path / "new"
    assert layout.list_versions(new) == ["v1", "v2", "v3"]
    assert (layout.current_version(new), layout.held_versions(new)) == ("v3", ["v1"])
    assert open_artifact(layout.version_dir(new, "v3")).manifest.version == "v3"
    assert (new / "reports/v3.html").read_text() == "a report"
    assert (new / "cursor.key").stat().st_mode & 0o777 == 0o600
    assert not (new / "features.db").exists()


def test_a_restore_goes_through_the_folder_of_the_pointer_where_there_is_one(tmp_path: Path, volume: Path) -> None:
    (volume / layout.LIVE).mkdir()
    writer.activate(volume, "v2")
    assert volume_copy.take(volume, tmp_path / "copy") == ("v2", ["v1", "v2", "v3"])
    writer.activate(volume, "v3")

    volume_copy.clear(volume)
    assert layout.current_version(volume) is None
    volume_copy.restore(tmp_path / "copy", volume)

    assert layout.current_version(volume) == "v2"
    assert (volume / layout.LIVE / layout.CURRENT).read_text() == "v2\n"


def test_a_version_that_the_trainer_removes_meanwhile_stays_out(
    tmp_path: Path, volume: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copytree = shutil.copytree

    def removed_while_it_is_copied(source: Path, target: Path, **options: object) -> Path:
        if source.name == "v2":
            shutil.rmtree(source)
        return Path(copytree(source, target, **options))  # type: ignore[arg-type]

    monkeypatch.setattr(shutil, "copytree", removed_while_it_is_copied)

    assert volume_copy.take(volume, tmp_path / "copy") == ("v3", ["v1", "v3"])
    assert not layout.version_dir(tmp_path / "copy", "v2").exists()


def test_a_version_that_goes_live_meanwhile_comes_in(
    tmp_path: Path, volume: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copytree = shutil.copytree

    def published_while_another_is_copied(source: Path, target: Path, **options: object) -> Path:
        if source.name == "v3":
            tiny_artifact.publish(SHOP, volume, version="v4")
        return Path(copytree(source, target, **options))  # type: ignore[arg-type]

    monkeypatch.setattr(shutil, "copytree", published_while_another_is_copied)

    assert volume_copy.take(volume, tmp_path / "copy") == ("v4", ["v1", "v2", "v3", "v4"])
