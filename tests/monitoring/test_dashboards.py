"""The dashboards are what tools/dashboards.py makes, and hold nothing that Grafana's schema does not know."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus import MONITORING

from tools.dashboards import DASHBOARDS, rendered

register_default_plugins()
FILES = sorted((MONITORING / "grafana/dashboards").glob("*.json"))


def test_the_files_are_those_that_the_code_makes() -> None:
    assert {path.stem: path.read_text(encoding="utf-8") for path in FILES} == {
        name: rendered(name) for name in DASHBOARDS
    }


def lost(document: Any, path: str = "") -> list[str]:
    """What Grafana's own types do not read of a dashboard: they are generated from its schema."""
    read = json.loads(json.dumps(Dashboard.from_json(document), cls=JSONEncoder))  # with defaults of its own
    return list(_lacking(document, read, path))


def _lacking(given: Any, read: Any, path: str) -> Iterator[str]:
    if isinstance(given, dict) and isinstance(read, dict):
        for name, value in given.items():
            yield from _lacking(value, read.get(name), f"{path}/{name}")
    elif isinstance(given, list) and isinstance(read, list) and len(given) == len(read):
        for number, (one, other) in enumerate(zip(given, read, strict=True)):
            yield from _lacking(one, other, f"{path}/{number}")
    elif given != read:
        yield path


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_grafana_s_own_types_read_all_of_a_dashboard(path: Path) -> None:
    assert lost(json.loads(path.read_text(encoding="utf-8"))) == []


def test_a_field_that_grafana_does_not_know_is_found() -> None:
    document = json.loads(FILES[0].read_text(encoding="utf-8"))
    document["panels"][1]["fieldConfig"]["defaults"]["units"] = "s"
    document["panels"][1]["targets"][0]["legend"] = "a"
    assert lost(document) == ["/panels/1/fieldConfig/defaults/units", "/panels/1/targets/0/legend"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_panels_have_numbers_of_their_own_and_do_not_lie_on_each_other(path: Path) -> None:
    panels = json.loads(path.read_text(encoding="utf-8"))["panels"]
    numbers = [panel["id"] for panel in panels]
    assert len(numbers) == len(set(numbers))
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
