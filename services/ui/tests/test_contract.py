"""The page against the gateway's OpenAPI document: every request is one that it declares, and every answer is readable.

The gateway's own contract test holds that document to its code, so nothing of the gateway need be installed here.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from ui.gateway_client import GatewayClient, GatewayError
from ui.models import Rule
from ui.visitor import Visitor

DOCUMENT = Path(__file__).resolve().parents[2] / "gateway" / "openapi.json"
PLAIN_VALUES = {"string": "text", "integer": 3, "number": 0.5, "boolean": True}

VISITOR = Visitor("13047", None)
RULE = Rule(name="r", item_id="1", boost=2.0)
Schema = dict[str, Any]
Call = Callable[[GatewayClient], object]

CALLS: dict[str, Call] = {
    "/v1/users": lambda client: client.users(prefix="1", page_size=8),
    "/v1/recommendations": lambda client: client.recommendations(VISITOR, count=12, include_seen=True, preview=True),
    "/v1/events": lambda client: client.post_event(
        VISITOR, "85123A", event_type="cart", value=2.5, list_id="l", position=1
    ),
    "/v1/users/{user_id}/history": lambda client: client.history("13047", count=12),
    "/v1/items/{item_id}/similar": lambda client: client.similar("85123A", count=12),
    "/v1/items/{item_id}/bought-together": lambda client: client.bought_together("85123A", count=6),
    "/v1/items": lambda client: client.search(query="heart", category="Home", page_size=24, cursor="MTAwMDI"),
    "/v1/items/{item_id}": lambda client: client.item("85123A"),
    "/v1/model": lambda client: client.model(),
    "/v1/activity": lambda client: client.activity(),
    "ids of /v1/items": lambda client: client.items(["85123A", "84879"]),
    "/v1/runs": lambda client: client.runs(count=20),
    "/v1/runs/{version}/report": lambda client: client.run_report("v1"),
    "/v1/model/activate": lambda client: client.activate("v1", key="k"),
    "/v1/experiments": lambda client: client.experiments(),
    "/v1/experiments/{name}": lambda client: client.experiment("recency"),
    "/v1/experiments/{name}/days": lambda client: client.experiment_days("recency"),
    "/v1/experiments/{name}/shares": lambda client: client.set_shares("recency", {"fresh": 0.1}, key="k"),
    "/v1/experiments/{name}/stop": lambda client: client.stop("recency", key=""),
    "/v1/experiments/{name}/ship": lambda client: client.ship("recency", "fresh", key="k"),
    "patch of /v1/items/{item_id}": lambda client: client.put_on_sale("85123A", available=False, key="k"),
    "/v1/rules": lambda client: client.rules(),
    "put of /v1/rules": lambda client: client.put_rules([RULE], key="k"),
    "rules in /v1/recommendations": lambda client: client.recommendations(
        VISITOR, count=12, include_seen=False, preview=True, rules=[RULE]
    ),
}


class DocumentedGateway:
    """Answers as the document says; with `nulls`, null wherever the document allows it."""

    def __init__(self, document: Schema, *, nulls: bool, status: int = 200) -> None:
        self._document = document
        self._nulls = nulls
        self._status = status

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.partition(b"?")[0].decode()
        operation = self._operation(path, request.method.lower())
        if request.content:
            self._check_body(json.loads(request.content), operation["requestBody"]["content"]["application/json"])
        declared = {parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "query"}
        assert set(request.url.params) <= declared
        (content,) = operation["responses"][str(self._status)]["content"].values()
        return httpx.Response(self._status, json=self._sample(content["schema"]))

    def _check_body(self, body: dict[str, Any], content: Schema) -> None:
        """Every field that is sent is declared."""
        schema = content["schema"]
        schema = schema["anyOf"][0] if "anyOf" in schema else schema
        declared = self._document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["properties"]
        assert set(body) <= set(declared)

    def _operation(self, path: str, method: str) -> Schema:
        """The path's operation; a literal path wins over one with a parameter."""
        matching = [
            template
            for template in self._document["paths"]
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path)
        ]
        operation: Schema = self._document["paths"][min(matching, key=lambda template: "{" in template)][method]
        return operation

    def _sample(self, schema: Schema) -> object:
        if "$ref" in schema:
            return self._sample(self._document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
        if "anyOf" in schema:
            return None if self._nulls and {"type": "null"} in schema["anyOf"] else self._sample(schema["anyOf"][0])
        if "properties" in schema:
            required = schema.get("required", [])
            return {name: self._sample(each) for name, each in schema["properties"].items() if name in required}
        if "additionalProperties" in schema:
            return {"name": self._sample(schema["additionalProperties"])}
        if schema["type"] == "array":
            return [self._sample(schema["items"])]
        if schema.get("format") == "date-time":
            return "2011-12-09T12:50:00Z"
        values = schema.get("enum") or schema.get("examples") or [PLAIN_VALUES[schema["type"]]]
        return values[0]


@pytest.fixture(scope="module")
def document() -> Schema:
    parsed: Schema = json.loads(DOCUMENT.read_text())
    return parsed


def client_of(gateway: DocumentedGateway) -> GatewayClient:
    return GatewayClient(httpx.Client(base_url="http://gateway", transport=httpx.MockTransport(gateway)))


@pytest.mark.parametrize("nulls", [False, True], ids=["full", "nulls"])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_every_request_is_declared_and_its_answer_readable(document: Schema, call: Call, nulls: bool) -> None:
    assert call(client_of(DocumentedGateway(document, nulls=nulls)))


def test_a_documented_problem_becomes_a_sentence_with_its_request_id(document: Schema) -> None:
    with pytest.raises(GatewayError, match="not available at the moment") as raised:
        client_of(DocumentedGateway(document, nulls=False, status=503)).model()
    assert raised.value.request_id
