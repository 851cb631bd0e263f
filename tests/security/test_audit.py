"""The dependency audit: a known vulnerability fails it, a database out of reach does not, and is not called a pass."""

import json
import sys
from pathlib import Path

import pytest

from tools import audit

GOOD = {"name": "uvicorn", "version": "0.54.0", "vulns": []}
BAD = {
    "name": "jinja2",
    "version": "2.10",
    "vulns": [
        {"id": "PYSEC-2019-217", "fix_versions": ["2.10.1"], "aliases": ["CVE-2019-10906"], "description": "…"},
        {"id": "PYSEC-2021-66", "fix_versions": ["2.11.3"], "aliases": [], "description": "…"},
    ],
}
SKIPPED = {"name": "uvicorn", "skip_reason": "Dependency not found on PyPI and could not be audited"}


@pytest.fixture
def pip_audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A command in place of pip-audit: it prints the answers of a file by what it is asked about."""
    command = tmp_path / "pip_audit.py"
    answers = tmp_path / "answers.json"
    command.write_text(
        "import json, pathlib, sys\n"
        f"answers = json.loads(pathlib.Path({str(answers)!r}).read_text())\n"
        "asked = pathlib.Path(sys.argv[-1]).read_text()\n"
        "found = answers['known' if 'jinja2==2.10' in asked else 'pins']\n"
        "print(json.dumps({'dependencies': found, 'fixes': []}))\n"
    )
    monkeypatch.setattr(audit, "PIP_AUDIT", [sys.executable, str(command)])
    return answers


@pytest.mark.parametrize(
    ("known", "pins", "status", "said"),
    [
        ([BAD], [GOOD], 0, "1 dependencies, 0 with advisories"),
        ([BAD], [GOOD, BAD], 1, "jinja2==2.10: PYSEC-2019-217, PYSEC-2021-66; fixed in 2.10.1, 2.11.3"),
        ([BAD], [SKIPPED], 0, "not in the database: uvicorn"),
        ([SKIPPED], [BAD], 0, "audit: skipped: no advisory database can be reached from here"),
        ([{**BAD, "vulns": []}], [BAD], 0, "audit: skipped"),
    ],
)
def test_what_the_database_says_decides(
    pip_audit: Path,
    known: list[object],
    pins: list[object],
    status: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pip_audit.write_text(json.dumps({"known": known, "pins": pins}))
    assert audit.main(["requirements/backend.txt"]) == status
    assert said in capsys.readouterr().out


def test_a_command_that_cannot_run_is_no_pass_and_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(audit, "PIP_AUDIT", ["/nowhere/pip-audit"])
    assert audit.main(["requirements/backend.txt"]) == 0
    assert "audit: skipped" in capsys.readouterr().out


def test_every_file_of_pins_is_audited() -> None:
    makefile = (audit.ROOT / "Makefile").read_text(encoding="utf-8")
    asked = next(line for line in makefile.splitlines() if "-m tools.audit" in line)
    pins = {f"requirements/{path.name}" for path in (audit.ROOT / "requirements").glob("*.txt")}
    assert pins == set(asked.split()) & pins
