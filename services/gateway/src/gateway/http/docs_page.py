"""`/docs`: the OpenAPI document for people, by Swagger UI. All of it is served from here, so that it works offline.

Its files are those of the package fastapi-offline: FastAPI's own page fetches them from a content network.
"""

from importlib.resources import files
from typing import Final

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.staticfiles import StaticFiles
from starlette.requests import Request
from starlette.responses import Response

_ASSETS: Final = "docs-assets"
_NO_VALIDATOR: Final = {"validatorUrl": None}  # else the page would ask one on the internet


def install(app: FastAPI) -> None:
    """Add the page and its files. Addresses in it are relative, so that it may stand behind a proxy's prefix."""
    page = get_swagger_ui_html(
        openapi_url="openapi.json",
        title=app.title,
        swagger_js_url=f"{_ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{_ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{_ASSETS}/favicon.png",
        swagger_ui_parameters=_NO_VALIDATOR,
    )

    async def docs(_: Request) -> Response:
        return page

    app.add_route("/docs", docs, include_in_schema=False)
    app.mount(f"/{_ASSETS}", StaticFiles(directory=str(files("fastapi_offline") / "static")))
