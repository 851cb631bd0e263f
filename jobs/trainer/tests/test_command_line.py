"""The trainer's commands, as a shop's engineer types them."""

import csv
import errno
import gzip
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from two_tastes import two_tastes
from typer.testing import CliRunner

from recsys.artifact import layout
from recsys.artifact.reader import read_manifest
from recsys.errors import ArtifactError, DataError, InvalidArgumentError
from trainer import pipeline
from trainer.__main__ import app, main
from trainer.choosing import recipe as recipes
from trainer.choosing.recipe import ALSRecipe
from trainer.choosing.tuning import Tuned
from trainer.settings import Settings
from trainer.shop_data import shop_files
from trainer.shop_data.shop import Shop

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


def document(*arguments: object, status: int = 0) -> Any:
    """What is on stdout with --json: one document, and nothing else."""
    result = runner.invoke(app, [*map(str, arguments), "--json"], catch_exceptions=False)
    assert result.exit_code == status, result.output
    return json.loads(result.stdout)


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
    [version] = layout.list_versions(volume)
    told = document("train", "--events", events_file, "--artifact-dir", volume, "--if-empty")
    assert told == {"trained": False, "live": version}


def test_if_empty_does_not_pass_over_a_live_version_that_services_would_refuse(
    tmp_path: Path, events_file: Path
) -> None:
    volume = tmp_path / "volume"
    run("train", "--events", events_file, "--artifact-dir", volume)
    version = layout.current_version(volume)
    assert version is not None
    (layout.version_dir(volume, version) / layout.USER_EMBEDDINGS).write_bytes(b"cut short")
    with pytest.raises(ArtifactError, match=r"user_embeddings\.npy: expected"):
        run("train", "--events", events_file, "--artifact-dir", volume, "--if-empty")


@pytest.mark.parametrize("how", [["--windows", "2"], ["--leave-last-out"]])
def test_evaluate_prints_baselines_and_models_and_publishes_nothing(
    tmp_path: Path, events_file: Path, how: list[str]
) -> None:
    volume = tmp_path / "volume"
    printed = run("evaluate", *how, "--events", events_file, "--artifact-dir", volume)
    windows = 2 if "--windows" in how else 1
    assert printed.count("| item-kNN |") == windows
    assert "| als |" in printed
    assert "alpha 0.5, regularization 10 |" in printed
    assert printed.count("`train` would have chosen") == windows - 1
    first_window = printed.split("judged by")[1]
    models = [re.sub(r"\d+ s", "", line) for line in first_window.splitlines() if line.startswith("| ")]
    assert len(models) == len(set(models))  # no recipe stands there twice
    assert layout.list_versions(volume) == []


def test_evaluate_takes_a_given_pair_of_files(tmp_path: Path) -> None:
    train, test = tmp_path / "train.txt", tmp_path / "test.txt"
    train.write_text(
        "".join(f"{user} {' '.join(str(i) for i in range(user % 2, 40, 2) if i != user)}\n" for user in range(40))
    )
    test.write_text("".join(f"{user} {user}\n" for user in range(40)))
    printed = run("evaluate", "--pair", train, test)
    to_choose_by, given = printed.split("\n40 test pairs, 40 users × 40 items")
    assert "| spectral | 5 | 1.0000" in given
    assert "160 test pairs" in to_choose_by  # four of each user's nineteen
    assert "40 users whose items were held out of train at random" in given


def test_evaluate_tells_the_rows_of_its_tables_as_json(tmp_path: Path) -> None:
    train, test, recipe = tmp_path / "train.txt", tmp_path / "test.txt", tmp_path / "recipe.json"
    train.write_text("".join(f"{user} {' '.join(str(item) for item in range(10))}\n" for user in range(20)))
    test.write_text("".join(f"{user} {10 + user % 3}\n" for user in range(20)))
    recipe.write_text('{"model": "popularity"}')
    [table] = document("evaluate", "--pair", train, test, "--recipe", recipe)
    assert (table["of"], table["users"], table["from"], table["train_items"]) == ("window", 20, None, 10)
    assert [row["model"] for row in table["rows"]] == ["popularity", "item-kNN", "popularity × recency"]
    assert set(table["rows"][0]["metrics"]) == {"recall@20", "ndcg@20", "recall@10", "ndcg@10"}
    assert set(table["rows"][0]["metrics"]["ndcg@20"]) == {"value", "low", "high"}


def test_validate_counts_and_keeps_what_it_rejects(tmp_path: Path, events_file: Path) -> None:
    with events_file.open("a") as file:
        csv.writer(file).writerow(["", "i001", "purchase", "2026-02-01T00:00:00Z", "1", ""])
    report = run("validate", "--events", events_file, "--artifact-dir", tmp_path)
    assert "1 rejected" in report
    assert "missing user_id" in report
    assert "i001" in (tmp_path / "quarantine.csv").read_text()


def validated(tmp_path: Path, content: str, *options: str) -> tuple[int, str]:
    path = tmp_path / "checked.csv"
    path.write_text(content)
    result = runner.invoke(app, ["validate", "--events", str(path), "--artifact-dir", str(tmp_path), *options])
    return result.exit_code, result.output


def test_validate_ends_with_status_1_where_day_and_month_are_swapped(tmp_path: Path) -> None:
    days = "".join(f"u,i,05/{day:02}/2024\n" for day in range(1, 31))
    mapping_file = tmp_path / "mapping.toml"
    mapping_file.write_text('[timestamp]\nformat = "%d/%m/%Y"\n')
    status, printed = validated(tmp_path, f"user_id,item_id,timestamp\n{days}", "--mapping", str(mapping_file))
    assert status == 1
    assert "events: 60% of the rows were rejected, of at most 30%" in printed
    assert 'hint: they begin with the month: under [timestamp] put format = "%m/%d/%Y"' in printed


def test_how_many_rows_may_be_rejected_is_an_option(tmp_path: Path) -> None:
    half = "user_id,item_id,timestamp\nu,i,2024-05-01\n,i,2024-05-01\n"
    assert validated(tmp_path, half, "--max-rejected", "0.5")[0] == 0
    assert validated(tmp_path, half, "--max-rejected", "0.49")[0] == 1


@pytest.mark.parametrize("content", ["user_id,item_id,timestamp\n", "", "\n\n"])
def test_a_file_without_events_is_valid_and_validate_says_so(tmp_path: Path, content: str) -> None:
    status, printed = validated(tmp_path, content)
    assert (status, "no events yet" in printed) == (0, True)


@pytest.mark.parametrize("name", ["events.csv", "events.jsonl", "events.csv.gz"])
def test_an_empty_file_is_a_shop_without_history_and_the_log_warns_of_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(b"") if name.endswith(".gz") else b"")
    files = shop_files.ShopFiles(events=path, mapping=None, catalogue=None, lake=None)
    shop, _ = shop_files.read(files, settings=Settings(artifact_dir=tmp_path / "volume"))
    assert (shop.events.height, shop.catalogue.height) == (0, 0)
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        "an empty file, without even a header: read as a shop without history"
    ]


def test_a_file_of_which_every_row_is_rejected_is_no_empty_shop(tmp_path: Path) -> None:
    events = tmp_path / "events.csv"
    events.write_text("user_id,item_id,timestamp\nu,i,05/30/2024\n")
    files = shop_files.ShopFiles(events=events, mapping=None, catalogue=None, lake=None)
    with pytest.raises(DataError, match=r"expected events, found each of 1 rows rejected"):
        shop_files.read(files, settings=Settings(artifact_dir=tmp_path / "volume"))


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        ("2024-01-02T00:00:00+02:00", datetime(2024, 1, 1, 22, tzinfo=UTC)),
        ("2024-01-02", datetime(2024, 1, 2, tzinfo=UTC)),
        ("2024-01-02 00:00:00+00", datetime(2024, 1, 2, tzinfo=UTC)),
    ],
)
def test_until_counts_in_its_own_zone(
    tmp_path: Path, events_file: Path, monkeypatch: pytest.MonkeyPatch, until: str, expected: datetime
) -> None:
    asked: list[datetime] = []

    def before(shop: Shop, moment: datetime) -> Shop:
        asked.append(moment)
        return shop

    monkeypatch.setattr(pipeline, "before", before)
    run("train", "--events", events_file, "--artifact-dir", tmp_path, "--force", "--until", until)
    assert asked == [expected]


def test_until_something_that_is_no_time_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match=r"--until: .* found 'May'"):
        run("train", "--events", "nothing.csv", "--artifact-dir", tmp_path, "--until", "May")


def found_recipe(*_: object, **__: object) -> Tuned:
    return Tuned(ALSRecipe(), 0.5, None, 40, 0, {})


def test_what_tune_finds_is_written_into_a_folder_that_was_missing(
    tmp_path: Path, events_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "tune", found_recipe)
    out = tmp_path / "missing" / "recipe.json"
    run("tune", "--out", out, "--events", events_file, "--artifact-dir", tmp_path)
    assert recipes.read(out) == ALSRecipe()
    told = document("tune", "--out", out, "--events", events_file, "--artifact-dir", tmp_path)
    assert (told["file"], told["won"], told["gain"], told["users"], told["ndcg@20"]) == (str(out), False, None, 40, 0.5)
    assert recipes.parse(told["recipe"], where="the document") == ALSRecipe()
    assert [path.name for path in out.parent.iterdir()] == ["recipe.json"]


@pytest.mark.parametrize("out", ["events.csv/recipe.json", "."])
def test_tune_looks_for_the_place_of_its_result_before_it_searches(
    tmp_path: Path, events_file: Path, monkeypatch: pytest.MonkeyPatch, out: str
) -> None:
    searched: list[object] = []
    monkeypatch.setattr(pipeline, "tune", lambda *_, **__: searched.append(1))
    with pytest.raises(DataError, match=r"expected (a folder to write to|the name of a file)"):
        run("tune", "--out", tmp_path / out, "--events", events_file, "--artifact-dir", tmp_path)
    assert searched == []


def test_a_recipe_stays_where_the_search_for_a_better_one_fails(tmp_path: Path, events_file: Path) -> None:
    out = tmp_path / "recipe.json"
    out.write_text("before")
    with pytest.raises(DataError):
        run("tune", "--out", out, "--events", tmp_path / "none.csv", "--artifact-dir", tmp_path)
    assert (out.read_text(), sorted(path.name for path in tmp_path.iterdir())) == (
        "before",
        ["events.csv", "recipe.json"],
    )


def test_train_looks_whether_it_may_write_before_it_reads(tmp_path: Path) -> None:
    (tmp_path / layout.REPORTS).write_text("somebody's notes")
    with pytest.raises(DataError, match="reports: expected a folder to write to"):
        run("train", "--events", tmp_path / "none.csv", "--artifact-dir", tmp_path)


def no_space(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/artifacts/versions")


def no_space_for_an_open_file(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def no_memory(*_: object, **__: object) -> None:
    raise MemoryError("Unable to allocate 9 GiB")


@pytest.mark.parametrize(
    ("failing", "sentence"),
    [
        (no_space, "error: /artifacts/versions: No space left on device\n"),
        (no_space_for_an_open_file, "error: the volume (--artifact-dir): No space left on device\n"),
        (no_memory, "error: not enough memory: Unable to allocate 9 GiB\n"),
    ],
)
def test_what_is_foreseen_to_go_wrong_is_one_sentence_and_status_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    failing: Callable[..., None],
    sentence: str,
) -> None:
    monkeypatch.setattr(shop_files, "read", failing)
    monkeypatch.setattr(sys, "argv", ["trainer", "train", "--artifact-dir", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == sentence


def test_a_volume_whose_current_is_a_folder_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / layout.CURRENT).mkdir()
    monkeypatch.setattr(sys, "argv", ["trainer", "versions", "--artifact-dir", str(tmp_path)])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert f"{tmp_path / layout.CURRENT}: Is a directory" in capsys.readouterr().err


def test_a_refused_version_ends_with_status_3(tmp_path: Path, events_file: Path) -> None:
    volume = tmp_path / "volume"
    run("train", "--events", events_file, "--artifact-dir", volume)
    bad = tmp_path / "bad.json"
    bad.write_text('{"model": "popularity"}')
    refused = ("train", "--events", events_file, "--artifact-dir", volume, "--recipe", bad)
    result = runner.invoke(app, [str(argument) for argument in refused])
    assert result.exit_code == 3
    assert "refused, and not live" in result.output

    told = document(*refused, status=3)

    good, _, again = layout.list_versions(volume)
    assert (told["trained"], told["version"], told["live"]) == (True, again, good)
    assert (told["recipe"]["model"], told["gate"]["passed"], told["gate"]["users"]) == ("popularity", False, 80)
    assert any(reason.startswith("failed: ndcg@20 minus the live version's") for reason in told["gate"]["reasons"])
    manifest = read_manifest(layout.version_dir(volume, again))
    assert set(told["metrics"]) == {"recall@20", "ndcg@20"}
    for name, interval in told["metrics"].items():
        assert interval == pytest.approx(manifest.metrics[name].model_dump())
    assert told["popularity"] == told["metrics"]
    assert Path(told["report"]).name == f"{again}.html"


def test_a_first_version_that_nobody_could_judge_has_no_figures_in_the_document(tmp_path: Path) -> None:
    told = document("train", "--empty", "--artifact-dir", tmp_path)
    assert told["live"] == told["version"] == layout.current_version(tmp_path)
    assert (told["gate"]["users"], told["metrics"], told["popularity"], told["report"]) == (0, {}, {}, None)


def test_a_refused_version_is_marked_with_the_reason_and_whoever_activates_it_is_warned(
    tmp_path: Path, events_file: Path
) -> None:
    volume = tmp_path / "volume"
    run("train", "--events", events_file, "--artifact-dir", volume)
    bad = tmp_path / "bad.json"
    bad.write_text('{"model": "popularity"}')
    runner.invoke(app, ["train", "--events", str(events_file), "--artifact-dir", str(volume), "--recipe", str(bad)])
    good, refused = run("versions", "--artifact-dir", volume).splitlines()
    assert "refused" not in good
    assert good.endswith("judged by 80 users")
    assert "refused: ndcg@20 minus" in refused
    told = runner.invoke(app, ["activate", layout.list_versions(volume)[1], "--artifact-dir", str(volume)])
    assert told.exit_code == 0
    assert "was refused: ndcg@20 minus" in told.stderr
    assert "is live" in told.stdout
    again = runner.invoke(app, ["activate", layout.list_versions(volume)[1], "--artifact-dir", str(volume), "--json"])
    live = json.loads(again.stdout)
    assert live["live"] == layout.current_version(volume)
    assert live["refusal"].startswith("ndcg@20 minus")
    assert "refused" not in runner.invoke(app, ["activate", good.split()[1], "--artifact-dir", str(volume)]).stderr


def test_train_and_evaluate_tell_how_many_users_judged(tmp_path: Path, events_file: Path) -> None:
    told = run("train", "--events", events_file, "--artifact-dir", tmp_path / "volume")
    assert re.search(r"^judged by \d+ users$", told, re.MULTILINE)
    told = run("evaluate", "--windows", "1", "--events", events_file, "--artifact-dir", tmp_path)
    assert re.search(r"items, judged by \d+ users$", told, re.MULTILINE)


def test_a_file_of_a_header_alone_starts_a_shop(tmp_path: Path) -> None:
    events = tmp_path / "events.csv"
    events.write_text("user_id,item_id,event_type,timestamp\n")
    volume = tmp_path / "volume"
    told = run("train", "--events", events, "--artifact-dir", volume)
    assert "not enough to judge by: 0 users" in told
    assert "popularity" in run("versions", "--artifact-dir", volume)
    assert layout.current_version(volume) is not None


@pytest.mark.parametrize("named", [["--empty"], ["--catalogue"]])
def test_a_shop_without_events_starts_with_what_there_is_and_not_with_the_demo_shop(
    tmp_path: Path, named: list[str]
) -> None:
    items = tmp_path / "items.csv"
    items.write_text("item_id,title\nlamp,Lamp\n")
    arguments = [*named, items] if named == ["--catalogue"] else named
    printed = run("train", *arguments, "--artifact-dir", tmp_path / "volume")
    assert "is live" in printed
    version = layout.current_version(tmp_path / "volume")
    assert version is not None
    manifest = read_manifest(layout.version_dir(tmp_path / "volume", version))
    assert (manifest.item_count, manifest.user_count) == (int(named == ["--catalogue"]), 0)


def test_listing_versions_imports_nothing_that_learns(tmp_path: Path, events_file: Path) -> None:
    run("train", "--events", events_file, "--artifact-dir", tmp_path / "volume")
    script = """
import sys
from trainer.__main__ import app
app(["versions", "--artifact-dir", sys.argv[1]], standalone_mode=False)
print(sorted({"torch", "optuna", "implicit", "faiss", "scipy", "polars"} & set(sys.modules)))
"""
    command = [sys.executable, "-c", script, str(tmp_path / "volume")]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert told.splitlines()[-1] == "[]"
    assert told.startswith("* ")


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


@pytest.mark.parametrize(
    ("name", "value"),
    [("seed", "-1"), ("seed", "4294967296"), ("horizon_days", "inf"), ("recent_days", "1e300"), ("threads", "-1")],
)
def test_a_setting_that_no_run_could_have_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"TRAINER_{name.upper()}", value)
    with pytest.raises(ValidationError, match=name):
        Settings()


def test_validate_tells_the_same_as_json(tmp_path: Path) -> None:
    events = tmp_path / "events.csv"
    events.write_text("user_id,item_id,event_type,timestamp\nanna,1,view,2026-01-02\nben,2,view,never\n")
    arguments = ["validate", "--events", str(events), "--artifact-dir", str(tmp_path), "--json"]
    result = runner.invoke(app, arguments)
    report = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (report["users"], report["events"]["read"], report["events"]["kept"]) == (1, 2, 1)
    assert report["too_many_rejected"] == [
        "events: 50% of the rows were rejected, of at most 30% (--max-rejected)",
    ]
