"""Another engine than this machine is found where it is installed, and told of where it is not."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from recsys.artifact import layout
from recsys.errors import InvalidArgumentError
from trainer import engines
from trainer.__main__ import app
from trainer.choosing.gate import Verdict
from trainer.choosing.recipe import PopularityRecipe
from trainer.outcome import Outcome


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_an_engine_that_is_not_installed_says_what_to_install(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "GROUP", "trainer.engines of another installation")
    result = CliRunner().invoke(app, [command, "--engine", "spark", "--events", "events.csv"])
    assert isinstance(result.exception, InvalidArgumentError)
    assert "pip install ./jobs/trainer_spark" in str(result.exception)


def test_a_run_of_another_engine_leaves_its_metrics_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Elsewhere:
        def train(self, *_: object, **__: object) -> Outcome:
            verdict = Verdict(passed=False, reasons=("failed: a test",), users=0)
            return Outcome("20260101T000000.000000Z", PopularityRecipe(), None, verdict, activated=False)

    monkeypatch.setattr(engines, "load", lambda _: Elsewhere())
    result = CliRunner().invoke(app, ["train", "--engine", "spark", "--artifact-dir", str(tmp_path)])
    assert result.exit_code == 3
    told = (tmp_path / layout.TRAINING_METRICS).read_text()
    assert 'recsys_training_last_run_result{result="refused"} 1.0' in told


def test_an_engine_that_there_is_not_is_refused() -> None:
    result = CliRunner().invoke(app, ["train", "--engine", "hadoop"])
    assert result.exit_code == 2
    assert "hadoop" in result.output


@pytest.mark.parametrize("option", [["--leave-last-out"], ["--pair", "train.txt", "test.txt"]])
def test_an_engine_evaluates_windows_of_time_alone(option: list[str]) -> None:
    result = CliRunner().invoke(app, ["evaluate", "--engine", "spark", *option])
    assert isinstance(result.exception, InvalidArgumentError)
    assert "expected --windows" in str(result.exception)
