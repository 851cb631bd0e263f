"""The trainer's commands where versions are published in an object store and each trainer has a disk of its own."""

import logging
from pathlib import Path

import pytest
from two_tastes import two_tastes
from typer.testing import CliRunner

from recsys.artifact import layout
from recsys.artifact.object_store import ObjectStore
from recsys.artifact.reader import newest_manifest
from recsys.errors import ArtifactError, ObjectStoreError
from trainer.__main__ import app
from trainer.choosing.recipe import ALSRecipe
from trainer.models.als import ALSSettings


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def training(tmp_path: Path) -> tuple[object, ...]:
    """A quick training that goes live; what follows is its volume."""
    two_tastes().events.write_csv(tmp_path / "events.csv")
    recipe = ALSRecipe(settings=ALSSettings(dim=2))
    (tmp_path / "recipe.json").write_text(recipe.model_dump_json())
    given = ("--events", tmp_path / "events.csv", "--recipe", tmp_path / "recipe.json")
    return ("train", *given, "--force", "--artifact-dir")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    address = f"file://{tmp_path}/store"
    monkeypatch.setenv("TRAINER_ARTIFACT_STORE", address)
    return ObjectStore(address, writes=True)


def test_a_version_goes_live_in_the_store_and_a_trainer_on_another_disk_goes_on_from_it(
    tmp_path: Path,
    training: tuple[object, ...],
    store: ObjectStore,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("TRAINER_KEEP_VERSIONS", "1")
    run(*training, tmp_path / "one")
    first = store.current()
    assert first is not None
    assert {f"{first}.run.json", "rows.json"} <= store.listing().reports
    assert layout.current_version(tmp_path / "one") == first
    assert "nothing to do" in run("train", "--if-empty", "--artifact-dir", tmp_path / "two")
    assert layout.current_version(tmp_path / "two") == first
    caplog.set_level(logging.INFO)
    caplog.clear()
    run(*training, tmp_path / "three")
    fetched = [record for record in caplog.records if record.getMessage() == "artifact version fetched"]
    assert [record.__dict__["artifact_version"] for record in fetched] == [first]  # the run compared with it
    second = store.current()
    assert second not in (None, first)
    assert store.listing().versions == [second]


def test_versions_are_listed_activated_held_and_released_in_the_store_without_a_copy(
    tmp_path: Path, training: tuple[object, ...], store: ObjectStore
) -> None:
    run(*training, tmp_path / "volume")
    run(*training, tmp_path / "volume")
    first, second = store.listing().versions
    elsewhere = ("--artifact-dir", tmp_path / "empty")
    listed = run("versions", *elsewhere).splitlines()
    assert [line[:2] for line in listed] == ["  ", "* "]
    assert run("activate", first, *elsewhere) == f"{first} is live\n"
    assert store.current() == first
    run("hold", second, *elsewhere)
    assert store.listing().held == [second]
    assert run("versions", *elsewhere).splitlines()[1].endswith("  held")
    run("release", second, *elsewhere)
    assert store.listing().held == []
    assert not (tmp_path / "empty" / layout.VERSIONS).exists()
    for command in ("activate", "hold"):
        with pytest.raises(ArtifactError, match=f"expected version 'none', found: {first}, {second}"):
            run(command, "none", *elsewhere)


def test_a_version_that_the_store_did_not_take_is_published_by_activating_it(
    tmp_path: Path, training: tuple[object, ...], store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(*_: object) -> None:
        raise ObjectStoreError("the store is unavailable")

    volume = tmp_path / "volume"
    with monkeypatch.context() as patched:
        patched.setattr(ObjectStore, "upload", unavailable)
        with pytest.raises(ObjectStoreError, match=r"is complete: `trainer activate .* publishes it"):
            run(*training, volume)
    [version] = layout.list_versions(volume)
    assert (store.current(), layout.current_version(volume)) == (None, None)
    run("activate", version, "--artifact-dir", volume)
    assert (store.current(), layout.current_version(volume)) == (version, version)


def test_a_refused_version_is_in_the_store_and_known_to_who_follows_it(
    tmp_path: Path, training: tuple[object, ...], store: ObjectStore
) -> None:
    run(*training, tmp_path / "one")
    live = store.current()
    assert live is not None
    manifest = store.manifest(live)
    refused = "20990101T000000.000Z-als-00000000"
    directory = layout.version_dir(tmp_path / "one", live).rename(layout.version_dir(tmp_path / "one", refused))
    (directory / layout.MANIFEST).write_text(manifest.model_copy(update={"version": refused}).model_dump_json())
    store.upload(tmp_path / "one", refused)
    assert "nothing to do" in run("train", "--if-empty", "--artifact-dir", tmp_path / "two")
    newest = newest_manifest(tmp_path / "two")
    assert newest is not None
    assert (newest.version, layout.list_versions(tmp_path / "two")) == (refused, [live])
