"""Asks the Python advisory database about every pinned dependency. Run by `make audit`, and by CI.

Out: exit status 1 and a table if one has a known vulnerability, else 0. Where the database cannot be reached, that is
said, and passes: a version that is known to be vulnerable is asked about first, and must be found so.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
PIP_AUDIT: Final = [str(ROOT / ".tools/bin/uv"), "tool", "run", "--from", "pip-audit==2.10.1", "pip-audit"]
HOW: Final = ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json"]
KNOWN: Final = "jinja2==2.10"  # PYSEC-2019-217, and others since
WITHIN_S: Final = 300


def ask(requirements: Path) -> list[dict[str, Any]] | None:
    """What the database says of each pin of a file, as pip-audit prints it; none: nothing, and why is on stderr."""
    command = [*PIP_AUDIT, *HOW, "--requirement", str(requirements)]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=WITHIN_S, check=False)
        dependencies: list[dict[str, Any]] = json.loads(ended.stdout)["dependencies"]
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError) as error:
        print(f"no advisories: {type(error).__name__}", file=sys.stderr)
        return None
    return dependencies


def is_reachable() -> bool:
    """Whether the database knows what it must know."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(KNOWN + "\n")
        file.flush()
        return any(each.get("vulns") for each in ask(Path(file.name)) or [])


def main(files: Sequence[str]) -> int:
    """Exit status 1 for a known vulnerability."""
    if not is_reachable():
        print("audit: skipped: no advisory database can be reached from here (no network)")
        return 0
    is_bad = False
    for name in files:
        dependencies = ask(ROOT / name)
        if dependencies is None:
            print(f"{name}: no answer")
            continue
        findings = [each for each in dependencies if each.get("vulns")]
        print(f"{name}: {len(dependencies)} dependencies, {len(findings)} with advisories")
        for each in findings:
            advisories = ", ".join(one["id"] for one in each["vulns"])
            fixed_in = ", ".join(sorted({version for one in each["vulns"] for version in one["fix_versions"]}))
            print(f"  {each['name']}=={each['version']}: {advisories}; fixed in {fixed_in or 'none'}")
        if not_known := [each["name"] for each in dependencies if "skip_reason" in each]:
            print(f"  not in the database: {', '.join(not_known)}")
        is_bad = is_bad or bool(findings)
    return 1 if is_bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
