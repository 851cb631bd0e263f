"""The dashboards are what tools/dashboards.py makes, and hold nothing that Grafana's schema does not know."""

import json
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus import MONITORING

from tools.dashboards import DASHBOARDS, rendered

FILES = sorted((MONITORING / "grafana/dashboards").glob("*.json"))


def test_the_files_are_those_that_the_code_makes() -> None:
    assert {path.stem: path.read_text(encoding="utf-8") for path in FILES} == {
        name: rendered(name) for name in DASHBOARDS
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_grafana_s_own_types_read_of_a_dashboard_is_all_of_it(path: Any) -> None:
    """The SDK's types are generated from Grafana's schema: a field that they do not have would be lost on the way."""
    register_default_plugins()
    document = json.loads(path.read_text(encoding="utf-8"))
    read = Dashboard.from_json(document)
    assert json.loads(json.dumps(read, cls=JSONEncoder)) == document


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_panels_have_numbers_of_their_own_and_do_not_lie_on_each_other(path: Any) -> None:
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
