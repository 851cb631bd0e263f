"""What docs/command-line.md says of every command: each exit status is produced, and --json is one document."""

import io
import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import recsys_client
from recsys.exit_status import Status
from recsys_cli.__main__ import app, main
from recsys_cli.from_trainer import TrainerCommand
from recsys_client.testing import FakeGateway
from trainer import engines
from trainer.choosing.gate import Verdict
from trainer.choosing.recipe import PopularityRecipe
from trainer.outcome import Outcome

PAGE = (Path(__file__).parents[2] / "docs/command-line.md").read_text(encoding="utf-8")
NO_API = "http://127.0.0.1:1"
HALF_REJECTED = "user_id,item_id,timestamp\nanna,1,2024-05-01\n,1,2024-05-01\n"

Run = Callable[..., tuple[int, str, str]]


class RefusingEngine:
    """Trains a version that the gate refuses."""

    def train(self, *_: object, **__: object) -> Outcome:
        verdict = Verdict(passed=False, reasons=("failed: a test",), users=7)
        return Outcome("20260101T000000.000000Z", PopularityRecipe(), None, verdict, activated=False)


def commands() -> Iterator[tuple[list[str], Any]]:
    """Every command of the tree, as it is typed; the trainer's as the trainer has them."""
    import trainer.__main__

    of_trainer = typer.main.get_group(trainer.__main__.app).commands
    for name, command in typer.main.get_group(app).commands.items():
        for below, one in getattr(command, "commands", {"": command}).items():
            words = [name, below] if below else [name]
            yield words, of_trainer[one.trainers_name] if isinstance(one, TrainerCommand) else one


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs `recsys` with arguments: the exit status, what is on stdout and what on stderr."""
    monkeypatch.setenv("RECSYS_URL", NO_API)
    monkeypatch.setenv("TRAINER_ARTIFACT_DIR", str(tmp_path / "volume"))
    (tmp_path / "events.csv").write_text(HALF_REJECTED)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # a command of the trainer puts its own there
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["recsys", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, int)
        return (ended.value.code, *capsys.readouterr())

    return run


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> FakeGateway:
    """What the commands ask in place of an API; it wants a key."""
    fake = FakeGateway(api_key="the key")
    monkeypatch.setattr(recsys_client, "Client", lambda _, *, api_key, timeout_s: fake.client(api_key=api_key))
    monkeypatch.setenv("RECSYS_API_KEY", "the key")
    return fake


def test_every_command_has_json() -> None:
    without = [words for words, command in commands() if not any("--json" in each.opts for each in command.params)]
    assert without == []


def test_the_page_has_the_commands_that_there_are_and_no_other() -> None:
    groups = {words[0] for words, _ in commands() if len(words) > 1}
    named, group = set(), ""
    for cell in re.findall(r"^\| (`.+?) \|", PAGE.partition("\nEvery command ")[0], re.MULTILINE):
        for first, second in re.findall(r"`([a-z]+)(?: ([a-z]+))?", cell):
            group = first if first in groups else group if second == "" and cell.startswith(f"`{group} ") else ""
            named.add(f"{group} {second or first}".strip() if group else first)
    assert named == {" ".join(words) for words, _ in commands()}


def test_the_page_has_every_exit_status() -> None:
    assert [int(status) for status in re.findall(r"^\| (\d) \| ", PAGE, re.MULTILINE)] == list(Status)


@pytest.mark.parametrize(
    ("status", "arguments"),
    [
        (Status.DONE, ["versions"]),
        (Status.FOUND_WRONG, ["validate", "--events", "events.csv"]),
        (Status.FOUND_WRONG, ["doctor"]),
        (Status.CANNOT, ["recommend", "--count", "0"]),
        (Status.CANNOT, ["validate", "--events", "nowhere.csv"]),
        (Status.CANNOT, ["restore", "nowhere"]),
        (Status.CANNOT, ["erase", "anna"]),
        (Status.REFUSED, ["train", "--engine", "spark", "--events", "events.csv"]),
        (Status.NOT_FOUND, ["activate", "20260101T000000.000000Z"]),
        (Status.NOT_FOUND, ["why", "0123456789abcdef"]),
        (Status.UNAVAILABLE, ["recommend", "anna"]),
        (Status.UNAVAILABLE, ["events", "export", "out.csv", "--feature-store-url", "valkey://127.0.0.1:1/0"]),
    ],
    ids=lambda given: given.name if isinstance(given, Status) else " ".join(given),
)
def test_a_command_ends_with_the_status_of_the_page_also_with_json(
    run: Run, monkeypatch: pytest.MonkeyPatch, status: Status, arguments: list[str]
) -> None:
    monkeypatch.setattr(engines, "load", lambda _: RefusingEngine())
    monkeypatch.setattr(sys, "stdin", io.StringIO())  # nobody is there to be asked

    code, _, told = run(*arguments)
    with_json, document, told_with_json = run(*arguments, "--json")

    assert (code, with_json) == (status, status)
    if status in (Status.DONE, Status.FOUND_WRONG, Status.REFUSED):  # it was done, and what came of it is told
        json.loads(document)
    else:
        assert document.strip() == ""  # a question leaves a space there
        assert "rror" in told
        assert "rror" in told_with_json


@pytest.mark.parametrize(
    ("status", "answer", "key"),
    [
        (Status.NOT_FOUND, None, "the key"),
        (Status.NO_ACCESS, None, ""),
        (Status.UNAVAILABLE, 503, "the key"),
        (Status.UNAVAILABLE, 429, "the key"),
        (Status.CANNOT, 422, "the key"),
    ],
    ids=["not found", "no key", "unavailable", "too many", "invalid"],
)
def test_an_answer_of_the_api_that_is_none_has_its_status(
    run: Run, shop: FakeGateway, monkeypatch: pytest.MonkeyPatch, status: Status, answer: int | None, key: str
) -> None:
    monkeypatch.setenv("RECSYS_API_KEY", key)
    if answer is not None:
        shop.fail(answer, times=10)
    code, document, told = run("similar", "nothing like it", "--json")
    assert (code, document) == (status, "")
    assert told.startswith("error: ")


def test_a_document_says_what_was_exported_and_never_stands_among_the_rows(run: Run, shop: FakeGateway) -> None:
    assert shop.requests == []
    code, document, _ = run("items", "export", "items.csv", "--json")
    assert (code, json.loads(document)) == (0, {"file": "items.csv", "items": 0})
    code, document, _ = run("events", "export", "events.jsonl", "--json")
    assert (code, json.loads(document)) == (0, {"file": "events.jsonl", "events": 0})
    for what in ("items", "events"):
        code, document, told = run(what, "export", "-", "--json")
        assert (code, document) == (Status.CANNOT, "")
        assert "expected the name of a file to write to, found -" in told


def test_an_address_that_is_none_is_a_wrong_setting_and_no_api_that_does_not_answer(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECSYS_URL", "nonsense")
    code, _, told = run("recommend", "anna")
    assert (code, "RECSYS_URL: expected an address such as http://127.0.0.1:8000, found 'nonsense'" in told) == (
        2,
        True,
    )


def test_that_there_is_no_version_yet_is_said(run: Run, tmp_path: Path) -> None:
    assert run("versions") == (0, "", f"there is no version in {tmp_path / 'volume'} yet\n")
