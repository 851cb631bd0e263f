"""The REST API of the real processes against what schemathesis makes of its document: never a 500, never a leak.

With keys, mutual TLS behind them, and a caller that has a key, a wrong one, or none.
"""

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from waiting import WITHIN_S

from tests.security.conftest import Closed, bearer

DOCUMENT: Final = json.loads((Path(__file__).parents[2] / "services/gateway/openapi.json").read_text(encoding="utf-8"))
NEEDED: Final[dict[str, list[str]]] = {
    f"{method.upper()} {path}": operation["security"][0]["api_key"]
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
    if "security" in operation
}
for _operations in DOCUMENT["paths"].values():
    for _operation in _operations.values():
        _operation.pop("security", None)  # the keys are for this test to send
OPERATIONS: Final = {
    operation.ok().label: operation.ok() for operation in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations()
}
# What only somebody who saw the inside could know.
INSIDE: Final = re.compile(
    r"Traceback|File \"|\.py\b|sqlite|site-packages|pydantic|starlette|grpc|/tmp/|/work/|0x[0-9a-f]{8}|ipv4:"
)
NOT_FOUND, METHOD_NOT_ALLOWED = 404, 405  # an empty id makes another route of a path
WRONG_SCOPE: Final = {"read": "office", "events": "reader", "admin": "shop"}


@pytest.fixture(scope="module", autouse=True)
def written_before(closed: Closed) -> dict[Path, int]:
    """Bytes of each log that other tests have caused: garbage in place of gRPC leaves tracebacks of grpc's own."""
    return {log: log.stat().st_size for log in closed.logs.glob("*.log")}


@pytest.mark.parametrize("label", OPERATIONS)
def test_no_request_makes_the_api_fail_or_tell_of_its_inside(label: str, closed: Closed) -> None:
    operation = OPERATIONS[label]
    declared = {int(code) for code in operation.definition.raw["responses"]} | {NOT_FOUND, METHOD_NOT_ALLOWED}

    @given(case=operation.as_strategy())
    @settings(max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    def ask(case: Any) -> None:
        sent = str(case.as_transport_kwargs())
        response = case.call(base_url=closed.stack.gateway_url, headers=bearer("everything"), timeout=WITHIN_S)
        assert response.status_code < 500, response.text
        assert response.status_code in declared
        if response.status_code >= 400:
            assert response.headers["content-type"][0] == "application/problem+json"
            problem = response.json()
            told = f"{problem['title']} {problem['detail']} {problem.get('errors')} {problem.get('rejected')}"
            assert INSIDE.search(sent) or not INSIDE.search(told), told  # what was sent may be said again

    ask()
    processes = closed.stack.processes
    assert [process.poll() for process in processes.values()] == [None] * len(processes)


@pytest.mark.parametrize("label", NEEDED)
def test_whatever_is_asked_without_the_right_key_only_the_key_is_told_of(label: str, closed: Closed) -> None:
    [needed] = NEEDED[label]
    callers = {"none": ({}, 401), "unknown": ({"Authorization": "Bearer rk_x"}, 401)}
    callers["wrong scope"] = (bearer(WRONG_SCOPE[needed]), 403)

    @given(case=OPERATIONS[label].as_strategy())
    @settings(max_examples=10, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    def ask(case: Any) -> None:
        for headers, status in callers.values():
            response = case.call(base_url=closed.stack.gateway_url, headers=headers, timeout=WITHIN_S)
            # an empty id makes another route of a path, which may need another scope, or none be found
            assert response.status_code in (status, NOT_FOUND, METHOD_NOT_ALLOWED) or _has_empty_id(case)
            assert response.status_code >= 400 or _has_empty_id(case)
            if response.status_code in (401, 403):
                assert response.headers["www-authenticate"][0].startswith("Bearer")

    ask()


def _has_empty_id(case: Any) -> bool:
    return any(value in ("", None) for value in (case.path_parameters or {}).values())


def test_nothing_went_wrong_inside_either(written_before: dict[Path, int]) -> None:
    assert len(written_before) >= 3
    assert not [log.name for log, size in written_before.items() if b"Traceback" in log.read_bytes()[size:]]
