"""The trainer's commands, as a shop's engineer types them."""

import csv
from pathlib import Path

import pytest
from two_tastes import two_tastes
from typer.testing import CliRunner

from recsys.artifact import layout
from recsys.errors import ArtifactError, DataError
from trainer.__main__ import app

runner = CliRunner()


@pytest.fixture
def events_file(tmp_path: Path) -> Path:
    path = tmp_path / "events.csv"
    two_tastes().events.write_csv(path)
    return path


def run(*arguments: object) -> str:
    result = runner.invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_train_then_versions_then_activate(tmp_path: Path, events_file: Path) -> None:
    volume = tmp_path / "volume"
    assert "is live" in run("train", "--events", events_file, "--artifact-dir", volume)
    first = layout.current_version(volume)
    assert first is not None
    run("train", "--events", events_file, "--artifact-dir", volume, "--force", "--until", "2026-06-01")
    listed = run("versions", "--artifact-dir", volume)
    assert f"  {first}" in listed
    assert f"* {layout.current_version(volume)}" in listed
    run("activate", first, "--artifact-dir", volume)
    assert layout.current_version(volume) == first


def test_a_held_version_is_listed_as_such_and_outlives_those_that_come_after(
    tmp_path: Path, events_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = tmp_path / "volume"
    monkeypatch.setenv("TRAINER_KEEP_VERSIONS", "1")
    train = ("train", "--events", events_file, "--artifact-dir", volume, "--force")
    run(*train)
    [first] = layout.list_versions(volume)
    assert run("hold", first, "--artifact-dir", volume) == f"{first} is held\n"
    run(*train)
    run(*train)
    listed = run("versions", "--artifact-dir", volume).splitlines()
    assert [line.endswith("  held") for line in listed] == [True, False]
    assert first in listed[0]
    run("release", first, "--artifact-dir", volume)
    run(*train)
    assert first not in layout.list_versions(volume)
    with pytest.raises(ArtifactError, match="expected a held version"):
        run("release", first, "--artifact-dir", volume)


def test_if_empty_does_not_train_again(tmp_path: Path, events_file: Path) -> None:
    volume = tmp_path / "volume"
    run("train", "--events", events_file, "--artifact-dir", volume)
    assert "nothing to do" in run("train", "--events", events_file, "--artifact-dir", volume, "--if-empty")
    assert len(layout.list_versions(volume)) == 1


@pytest.mark.parametrize("how", [["--windows", "2"], ["--leave-last-out"]])
def test_evaluate_prints_baselines_and_models_and_publishes_nothing(
    tmp_path: Path, events_file: Path, how: list[str]
) -> None:
    volume = tmp_path / "volume"
    shown = run("evaluate", *how, "--events", events_file, "--artifact-dir", volume)
    assert shown.count("| item-kNN |") == (2 if "--windows" in how else 1)
    assert "| als |" in shown
    assert layout.list_versions(volume) == []


def test_evaluate_takes_a_given_pair_of_files(tmp_path: Path) -> None:
    train, test = tmp_path / "train.txt", tmp_path / "test.txt"
    train.write_text(
        "".join(f"{user} {' '.join(str(i) for i in range(user % 2, 40, 2) if i != user)}\n" for user in range(40))
    )
    test.write_text("".join(f"{user} {user}\n" for user in range(40)))
    shown = run("evaluate", "--pair", train, test)
    assert "40 test pairs, 40 users × 40 items" in shown
    assert "| spectral | 5 | 1.0000" in shown


def test_validate_counts_and_keeps_what_it_rejects(tmp_path: Path, events_file: Path) -> None:
    with events_file.open("a") as file:
        csv.writer(file).writerow(["", "i001", "purchase", "2026-02-01T00:00:00Z", "1", ""])
    report = run("validate", "--events", events_file, "--artifact-dir", tmp_path)
    assert "1 rejected" in report
    assert "missing user_id" in report
    assert "i001" in (tmp_path / "quarantine.csv").read_text()


def test_a_refused_version_ends_with_status_3(tmp_path: Path, events_file: Path) -> None:
    volume = tmp_path / "volume"
    run("train", "--events", events_file, "--artifact-dir", volume)
    bad = tmp_path / "bad.json"
    bad.write_text('{"model": "als", "settings": {"dim": 1, "iterations": 1, "regularization": 1000}}')
    arguments = ["train", "--events", events_file, "--artifact-dir", volume, "--recipe", bad]
    result = runner.invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 3
    assert "refused, and not live" in result.output


def test_activating_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="expected version 'nope'"):
        run("activate", "nope", "--artifact-dir", tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "expected JSON, found: "),
        ('{"model": "magic"}', "magic"),
        ('{"model": "als", "settings": {"dim": 0}}', "als.settings.dim"),
        ('{"model": "als", "surprise": 1}', "als.surprise"),
    ],
)
def test_a_recipe_that_is_none_is_a_clear_error(tmp_path: Path, events_file: Path, content: str, message: str) -> None:
    recipe = tmp_path / "recipe.json"
    recipe.write_text(content)
    with pytest.raises(DataError, match=message):
        run("train", "--events", events_file, "--artifact-dir", tmp_path, "--recipe", recipe)
