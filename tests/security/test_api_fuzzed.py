"""The REST API of the real processes against what schemathesis makes of its document: never a 500, never a leak."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import checkerboard_shop as shop
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from tools.local_stack import LocalStack, Ports

DOCUMENT: Final = json.loads((Path(__file__).parents[2] / "services/gateway/openapi.json").read_text(encoding="utf-8"))
OPERATIONS: Final = {
    operation.ok().label: operation.ok() for operation in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations()
}
# What only somebody who saw the inside could know.
INSIDE: Final = re.compile(r"Traceback|File \"|\.py\b|sqlite|site-packages")
NOT_FOUND, METHOD_NOT_ALLOWED = 404, 405  # an empty id makes another route of a path


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LocalStack, Path]]:
    """The whole system on the checkerboard with its embedded store, and where it logs."""
    folder = tmp_path_factory.mktemp("fuzzed")
    shop.write_events(folder / "events.csv")
    shop.train(folder / "volume", folder / "events.csv")
    with LocalStack(folder / "volume", ports=Ports.free(), log_dir=folder / "logs") as running:
        yield running, folder / "logs"


@pytest.mark.parametrize("label", OPERATIONS)
def test_no_request_makes_the_api_fail_or_tell_of_its_inside(label: str, stack: tuple[LocalStack, Path]) -> None:
    operation, running = OPERATIONS[label], stack[0]
    declared = {int(code) for code in operation.definition.raw["responses"]} | {NOT_FOUND, METHOD_NOT_ALLOWED}

    @given(case=operation.as_strategy())
    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    def ask(case: Any) -> None:
        response = case.call(base_url=running.gateway_url, timeout=20)
        assert response.status_code < 500, response.text
        assert response.status_code in declared
        if response.status_code >= 400:
            assert response.headers["content-type"][0] == "application/problem+json"
            assert not INSIDE.search(response.json()["title"])

    ask()
    assert [process.poll() for process in running.processes.values()] == [None] * len(running.processes)


def test_nothing_went_wrong_inside_either(stack: tuple[LocalStack, Path]) -> None:
    logs = list(stack[1].glob("*.log"))
    assert len(logs) >= 3
    assert not [path.name for path in logs if "Traceback" in path.read_text(encoding="utf-8", errors="replace")]
