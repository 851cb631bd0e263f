"""Asks the Python advisory database about every pinned dependency. Run by `make audit`, and by CI.

Out: exit status 1 and a table if one has a known vulnerability, else 0. Where the database cannot be reached, that is
said, and passes: a version that is known to be vulnerable is asked about first, and must be found so.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PIP_AUDIT: Final = [str(ROOT / ".tools/bin/uv"), "tool", "run", "--from", "pip-audit==2.10.1", "pip-audit"]
HOW: Final = ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json"]
KNOWN: Final = "jinja2==2.10"  # PYSEC-2019-217, and others since
WITHIN_S: Final = 300


@dataclass(frozen=True)
class Finding:
    """A pinned version and the advisories against it."""

    version: str
    advisories: tuple[str, ...]
    fixed_in: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """What the database said of a file of pins."""

    asked: int
    not_known: tuple[str, ...]
    findings: tuple[Finding, ...]


def read(document: str) -> Report:
    """A report from what pip-audit prints as JSON."""
    dependencies = json.loads(document)["dependencies"]
    findings = [
        Finding(
            f"{each['name']}=={each['version']}",
            tuple(advisory["id"] for advisory in each["vulns"]),
            tuple(sorted({version for advisory in each["vulns"] for version in advisory["fix_versions"]})),
        )
        for each in dependencies
        if each.get("vulns")
    ]
    not_known = [each["name"] for each in dependencies if "skip_reason" in each]
    return Report(asked=len(dependencies), not_known=tuple(not_known), findings=tuple(findings))


def ask(requirements: Path) -> Report | None:
    """The database's word on a file of pins; none: it gave none, and why is on stderr."""
    try:
        ended = subprocess.run(
            [*PIP_AUDIT, *HOW, "--requirement", str(requirements)],
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )
        return read(ended.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError) as error:
        print(f"no advisories: {type(error).__name__}", file=sys.stderr)
        return None


def is_reachable() -> bool:
    """Whether the database knows what it must know."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(KNOWN + "\n")
        file.flush()
        report = ask(Path(file.name))
    return report is not None and bool(report.findings)


def main(files: Sequence[str]) -> int:
    """Exit status 1 for a known vulnerability."""
    if not is_reachable():
        print("audit: skipped: no advisory database can be reached from here (no network)")
        return 0
    is_bad = False
    for name in files:
        report = ask(ROOT / name)
        if report is None:
            print(f"{name}: no answer")
            continue
        print(f"{name}: {report.asked} dependencies, {len(report.findings)} with advisories")
        for finding in report.findings:
            fixed_in = ", ".join(finding.fixed_in) or "none"
            print(f"  {finding.version}: {', '.join(finding.advisories)}; fixed in {fixed_in}")
        if report.not_known:
            print(f"  not in the database: {', '.join(report.not_known)}")
        is_bad = is_bad or bool(report.findings)
    return 1 if is_bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
