"""The command line itself: what help shows and loads, completion, and how a command ends."""

import subprocess
import sys
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from recsys.exit_status import Status
from recsys_cli import from_trainer
from recsys_cli.__main__ import app, main
from recsys_cli.experiments import winner
from recsys_cli.outcome import CommandError

HEAVY = ("asyncio", "faiss", "grpc", "httpx", "numpy", "polars", "pyarrow", "torch", "trainer", "valkey")
RUN_HELP = f"""
import sys
from pathlib import Path
sys.argv = ["recsys", *sys.argv[1:]]
from recsys_cli.__main__ import main
try:
    main()
finally:
    print(sorted(set({HEAVY!r}) & sys.modules.keys()), file=sys.stderr)
"""


@pytest.mark.parametrize("arguments", [["--help"], ["events", "--help"], ["experiments", "ship", "--help"]])
def test_help_loads_nothing_that_takes_long_to_import(arguments: list[str]) -> None:
    ended = subprocess.run([sys.executable, "-c", RUN_HELP, *arguments], capture_output=True, text=True, check=True)
    assert ended.stderr == "[]\n"


def test_help_lists_every_command_and_the_exit_statuses() -> None:
    shown = CliRunner().invoke(app, ["--help"]).output
    for name in (*from_trainer.SUMMARIES, *["recommend", "similar", "why", "events", "items", "erase", "experiments"]):
        assert f" {name} " in shown
    assert all(f" {name} " in shown for name in ("backup", "restore", "doctor"))
    assert "Exit status" in shown


def test_the_trainers_commands_have_the_trainers_own_help_and_options() -> None:
    import trainer.__main__

    of_trainer = typer.main.get_group(trainer.__main__.app)
    for name, summary in from_trainer.SUMMARIES.items():
        command = of_trainer.commands[name]
        assert command.help.split("\n")[0] == summary
        shown = CliRunner().invoke(app, [name, "--help"]).output
        assert all(option.opts[0] in shown for option in command.params if option.opts[0].startswith("--"))


def test_what_another_system_has_is_imported_by_the_trainers_command() -> None:
    import trainer.__main__

    of_trainer = typer.main.get_group(trainer.__main__.app)
    for name, summary in from_trainer.IMPORTS.items():
        command = of_trainer.commands[f"import-{name}"]
        assert command.help == summary
        shown = CliRunner().invoke(app, ["import", name, "--help"]).output
        assert all(option.opts[0] in shown for option in command.params if option.opts[0].startswith("--"))


def test_options_of_the_trainer_are_completed() -> None:
    environment = {"_RECSYS_COMPLETE": "complete_bash", "COMP_WORDS": "recsys train --i", "COMP_CWORD": "2"}
    ended = subprocess.run([sys.executable, "-c", RUN_HELP], env=environment, capture_output=True, text=True)
    assert ended.stdout.split() == ["--if-empty"]


def test_an_api_that_is_not_there_is_a_sentence_and_status_5(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RECSYS_URL", "http://127.0.0.1:1")
    monkeypatch.setattr(sys, "argv", ["recsys", "recommend", "anna"])

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == Status.UNAVAILABLE
    told = capsys.readouterr().err
    assert told.startswith("error: POST http://127.0.0.1:1/v1/recommendations")
    assert "RECSYS_URL is http://127.0.0.1:1" in told


def comparison(arm: str, *verdicts: str, guardrail: str = "kept") -> dict[str, Any]:
    return {
        "arm": arm,
        "metrics": [{"verdict": verdict} for verdict in verdicts],
        "guardrails": [{"verdict": guardrail}],
    }


def report(*comparisons: dict[str, Any], split: str = "as configured") -> dict[str, Any]:
    return {"name": "recency", "split": {"verdict": split}, "comparisons": list(comparisons)}


def test_the_winner_is_the_one_arm_that_is_better_and_worse_by_nothing() -> None:
    found = winner(report(comparison("a", "better", "not decided yet"), comparison("b", "not decided yet")))
    assert found == "a"


@pytest.mark.parametrize(
    "answer",
    [
        report(comparison("a", "not decided yet")),
        report(comparison("a", "better", "worse")),
        report(comparison("a", "better", guardrail="violated")),
        report(comparison("a", "better"), comparison("b", "better")),
        report(comparison("a", "better"), split="mismatch"),
    ],
    ids=["undecided", "worse by another metric", "guardrail", "two of them", "split"],
)
def test_where_no_arm_has_won_nothing_is_shipped(answer: dict[str, Any]) -> None:
    with pytest.raises(CommandError, match="recency: ") as refused:
        winner(answer)
    assert refused.value.status is Status.FOUND_WRONG
