"""Writes the OpenAPI document to stdout: `python -m gateway.openapi > services/gateway/openapi.json`.

A contract test holds the committed document to this one.
"""

import asyncio
import sys

import orjson

from gateway.app import create_app
from gateway.clients import connect
from gateway.http.access import Access
from gateway.http.metrics import GatewayMetrics
from gateway.lists.popular_list import PopularList
from gateway.settings import Settings
from gateway.shop.live_shop import LiveShop


def document() -> bytes:
    """The document as indented JSON with sorted keys and a line break at the end. Calls no service."""
    return asyncio.run(_document())


async def _document() -> bytes:
    settings = Settings()
    async with connect(settings) as clients:
        app = create_app(settings, clients, LiveShop(), guard=Access(), metrics=GatewayMetrics(), popular=PopularList())
    return orjson.dumps(app.openapi(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


if __name__ == "__main__":
    sys.stdout.buffer.write(document())
