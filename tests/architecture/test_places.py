"""The paths that CONTRIBUTING.md and docs/architecture.md send a reader to exist, and each change has one place."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILT = {"build", "artifacts"}  # by make, and not always there
TOP = "|".join(
    sorted(
        path.name
        for path in ROOT.iterdir()
        if path.is_dir() and not path.name.startswith(".") and path.name not in BUILT
    )
)
PATH = re.compile(rf"`((?:{TOP})/[\w./-]+|[\w.-]+\.(?:yml|Dockerfile))`")


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_every_path_that_a_page_names_exists(page: str) -> None:
    named = PATH.findall((ROOT / page).read_text(encoding="utf-8"))
    assert len(named) > 10
    assert not [path for path in named if not (ROOT / path).exists()]


def test_each_change_starts_at_one_place() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text.split("| to change | start at |\n|---|---|\n")[1].split("\n\n")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()]
    assert len(rows) > 30
    assert not [change for change, place in rows if len(re.findall(r"`[^`]*[./][^`]*`", place)) != 1]
    places = [place.split("`")[1] for _, place in rows]
    assert len(places) == len(set(places))
