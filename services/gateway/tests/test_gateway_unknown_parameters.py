"""What an operation does not know is refused and not ignored: in the query and in the body, on every route."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from google.protobuf.message import Message

pytestmark = pytest.mark.anyio


def operations(app: FastAPI) -> list[tuple[str, str]]:
    """Method and path of each operation, with something for each part of the path."""
    document = app.openapi()["paths"]
    return [
        (method.upper(), path.replace("{user_id}", "7").replace("{item_id}", "item-01").replace("{name}", "x"))
        for path, methods in document.items()
        for method in methods
    ]


async def test_an_unknown_query_parameter_is_refused_on_every_route(
    app: FastAPI, client: httpx.AsyncClient, received: list[Message]
) -> None:
    assert len(operations(app)) > 20
    for method, path in operations(app):
        response = await client.request(method, path, params={"zzz": "1"})
        assert response.status_code == 422, (method, path)
        [error] = response.json()["errors"]
        assert error["location"] == "query.zzz"
        assert error["message"].startswith("there is no such parameter here; there are: ")
    assert received == []


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/v1/users/7/recommendations?cuont=3", "count"),
        ("/v1/items/popular?categorie=Home", "category"),
        ("/v1/items?page_sise=3", "page_size"),
        ("/v1/items?curser=", "cursor"),
        ("/v1/users?Prefix=a", "prefix"),
        ("/v1/users/7/recommendations?count=3&inclde_seen=true", "include_seen"),
    ],
)
async def test_the_parameter_that_was_perhaps_meant_is_named(client: httpx.AsyncClient, path: str, meant: str) -> None:
    response = await client.get(path)
    assert response.status_code == 422
    [error] = response.json()["errors"]
    assert error["message"] == f"there is no such parameter here; is {meant!r} meant?"
    assert error["location"] in response.json()["detail"]


async def test_parameters_that_are_known_are_answered(client: httpx.AsyncClient) -> None:
    for path in ("/v1/items?query=a&category=&cursor=&page_size=3", "/v1/items?ids=item-01&ids=item-02", "/healthz?"):
        assert (await client.get(path)).status_code == 200


async def test_the_document_allows_no_other_key_in_a_body(app: FastAPI) -> None:
    schemas = app.openapi()["components"]["schemas"]

    def named(node: Any) -> set[str]:
        if isinstance(node, dict):
            here = {node["$ref"].rpartition("/")[2]} if "$ref" in node else set()
            return here.union(*map(named, node.values()))
        return set().union(*map(named, node)) if isinstance(node, list) else set()

    bodies = set().union(
        *(
            named(operation["requestBody"])
            for methods in app.openapi()["paths"].values()
            for operation in methods.values()
            if "requestBody" in operation
        )
    )
    within = bodies
    while more := set().union(*(named(schemas[name]) for name in within)) - bodies:
        bodies, within = bodies | more, more
    assert {"RecommendationRequest", "Filter", "EventIn", "ItemPut", "SharesIn"} <= bodies
    for name in bodies:
        if schemas[name]["type"] == "object":
            assert schemas[name]["additionalProperties"] is False, name
