"""The committed OpenAPI document is the one that the gateway serves."""

import json
from pathlib import Path

from gateway import openapi

SNAPSHOT = Path(__file__).parents[2] / "services" / "gateway" / "openapi.json"


def test_the_committed_openapi_document_is_the_one_that_the_gateway_serves() -> None:
    assert SNAPSHOT.read_bytes() == openapi.document(), (
        "the REST API and its committed document differ; if the change is meant, run: "
        "python -m gateway.openapi > services/gateway/openapi.json"
    )


def test_no_schema_has_the_name_of_a_module_of_ours() -> None:
    """Two classes of one name get those of their modules, of which generators of clients make the one name again."""
    schemas = json.loads(SNAPSHOT.read_text())["components"]["schemas"]

    assert [name for name in schemas if "__" in name] == []
    titles = [schema["title"] for schema in schemas.values()]
    assert len(set(titles)) == len(titles)


def test_every_reference_in_the_openapi_document_leads_to_a_schema() -> None:
    text = SNAPSHOT.read_text()
    schemas = json.loads(text)["components"]["schemas"]

    referred = {part.partition('"')[0] for part in text.split('"#/components/schemas/')[1:]}

    assert referred <= schemas.keys()
    assert "Problem" in referred
