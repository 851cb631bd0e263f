"""The API keeps the promises of its own document, whatever schemathesis makes of it: right requests and wrong ones."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)
from waiting import WITHIN_S

DOCUMENT: Final = json.loads((Path(__file__).parents[1] / "openapi.json").read_text(encoding="utf-8"))
for operations in DOCUMENT["paths"].values():
    for described in operations.values():
        described.pop("security", None)  # the gateway here is open, and keys have tests of their own
OPERATIONS: Final = {
    operation.ok().label: operation.ok() for operation in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations()
}
WITH_BODY: Final = [label for label, operation in OPERATIONS.items() if "requestBody" in operation.definition.raw]
PROMISES: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
many = settings(
    max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.mark.parametrize("label", OPERATIONS)
def test_a_request_that_the_document_allows_gets_an_answer_that_it_promises(label: str, address: str) -> None:
    @many
    @given(case=OPERATIONS[label].as_strategy(generation_mode=GenerationMode.POSITIVE))
    def ask(case: Any) -> None:
        case.call_and_validate(base_url=address, checks=PROMISES, timeout=WITHIN_S)

    ask()


@pytest.mark.parametrize("label", WITH_BODY)
def test_a_request_that_the_document_does_not_allow_is_refused_as_it_says(label: str, address: str) -> None:
    @many
    @given(case=OPERATIONS[label].as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def ask(case: Any) -> None:
        case.call_and_validate(base_url=address, checks=[*PROMISES, negative_data_rejection], timeout=WITHIN_S)

    ask()
