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


def test_every_reference_in_the_openapi_document_leads_to_a_schema() -> None:
    text = SNAPSHOT.read_text()
    schemas = json.loads(text)["components"]["schemas"]

    referred = {part.partition('"')[0] for part in text.split('"#/components/schemas/')[1:]}

    assert referred <= schemas.keys()
    assert "Problem" in referred
