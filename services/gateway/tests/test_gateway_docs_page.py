"""The page of the API's document works without the internet."""

import re

import httpx
import pytest

pytestmark = pytest.mark.anyio


async def test_every_address_in_the_page_is_the_gateway_s_own_and_answered(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert not re.search(r"(https?:)?//[a-z]", page.text.replace("// ", ""))
    addresses = re.findall(r"""(?:src|href)=["']([^"']+)|url: '([^']+)'""", page.text)
    named = [one or other for one, other in addresses]
    assert len(named) == 4
    for address in named:
        answer = await client.get(f"/{address}")
        assert (answer.status_code, len(answer.content) > 1_000) == (200, True), address
    assert '"validatorUrl": null' in page.text


@pytest.mark.parametrize("path", ["/redoc", "/docs-assets/", "/docs-assets/../core.py", "/docs-assets/%2e%2e/core.py"])
async def test_nothing_else_of_the_package_is_served(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
