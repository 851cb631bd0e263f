"""What is asked of a caller before a route runs: a valid key that has the route's scope and has not asked too often.

A route says which scope it needs (`openapi_extra=needs("read")`), which the OpenAPI document shows and `KeyedRoute`
asks for: 2 µs a request, before anything of the body is read. Health probes and the document need none.
"""

import ipaddress
import logging
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import APIRoute
from limits import RateLimitItem, parse
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from gateway.api_keys import ApiKeys, ScopeName
from gateway.http.known_parameters import KnownParametersRoute
from gateway.http.rate_limits import RateLimits
from gateway.settings import ANYWHERE, Settings
from recsys.background import running
from recsys.errors import InvalidArgumentError

KEY_NAME: Final = "api_key_name"
"""Where the name of the caller's key stands in the ASGI scope, once it has one."""
_ONLY_LOOKS: Final = "only_looks"
"""In the ASGI scope of a caller whose key has the scope preview and not read."""
_ADMITTED: Final = "admitted_to"
"""Where the route stands in the ASGI scope that its caller was let through to."""
_SCHEME: Final = "api_key"
_BEARER: Final = b"bearer "
_READING: Final = ("GET", "HEAD", "OPTIONS")
_FOREIGN: Final = (b"cross-site", b"same-site")  # of `Sec-Fetch-Site`; also another port or subdomain is another page
_ANY_ORIGIN: Final = "*"  # in a list of CORS

logger = logging.getLogger(__name__)


def needs(scope: ScopeName) -> dict[str, Any]:
    """The `openapi_extra` of a route that asks for a key with this scope."""
    return {"security": [{_SCHEME: [scope]}]}


def scope_of(route: APIRoute) -> str | None:
    """What the route's `needs` said."""
    security = (route.openapi_extra or {}).get("security")
    return security[0][_SCHEME][0] if security else None


def only_looks(scope: Scope) -> bool:
    """Whether every list that this caller gets is a preview, whatever was asked for."""
    return _ONLY_LOOKS in scope


class Access:
    """Lets a caller through, or says why not. Without keys everybody is let through."""

    def __init__(self, keys: ApiKeys | None = None, default_rate: RateLimitItem | None = None) -> None:
        self._keys = keys
        self._limits = RateLimits(default_rate)

    def check(self, scope: Scope, needed: str) -> None:
        """Raises: HTTPException: 401 without a valid key, 403 without the scope, 429 too often."""
        if self._keys is None:
            return
        secret = _secret_of(scope)
        if secret is None:
            raise _refusal(HTTPStatus.UNAUTHORIZED, "expected an API key: Authorization: Bearer KEY", "Bearer")
        key = self._keys.find(secret)
        if key is None:
            raise _refusal(
                HTTPStatus.UNAUTHORIZED, "this API key is unknown or has expired", 'Bearer error="invalid_token"'
            )
        scope[KEY_NAME] = key.name
        if needed == "read" and "read" not in key.scopes and "preview" in key.scopes:
            scope[_ONLY_LOOKS] = True
        elif needed not in key.scopes:
            raise _refusal(
                HTTPStatus.FORBIDDEN,
                f"this API key does not have the scope {needed!r}",
                f'Bearer error="insufficient_scope", scope="{needed}"',
            )
        if wait_s := self._limits.wait_s(key.name, key.rate):
            raise HTTPException(
                HTTPStatus.TOO_MANY_REQUESTS,
                "this API key asks more often than it may",
                {"Retry-After": str(math.ceil(wait_s))},
            )


class KeyedRoute(KnownParametersRoute):
    """A route that says what it needs."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._needed = scope_of(self)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.expect_access(scope)
        await super().handle(scope, receive, send)

    def expect_access(self, scope: Scope) -> None:
        """Let the caller through, once for each request. Raises: HTTPException, as `Access.check`."""
        if self._needed is None:
            raise RuntimeError(f"{self.path} does not say which scope it needs")  # a test finds it first
        state = scope["app"].state
        access: Access = state.access
        if scope.get(_ADMITTED) is not self:
            _expect_own_page(scope, state.parts.settings.cors_origins)
            access.check(scope, self._needed)
            scope[_ADMITTED] = self


@asynccontextmanager
async def guard(settings: Settings) -> AsyncIterator[Access]:
    """Access by the keys of the file, which is followed until the end; or open to everybody, if told so.

    Raises: DataError (the file), InvalidArgumentError (neither keys nor told to be open).
    """
    if settings.api_keys_file is None:
        _expect_told_to_be_open(settings.open_on)
        logger.warning("open: everybody who reaches this API may use all of it", extra={"on": settings.open_on})
        yield Access()
        return
    keys = ApiKeys(settings.api_keys_file)
    async with running({"api_keys": keys.follow}):
        yield Access(keys, parse(settings.rate_limit) if settings.rate_limit else None)


def add_to_document(app: FastAPI) -> None:
    """Describe the key that `needs` refers to."""
    app.openapi()["components"]["securitySchemes"] = {
        _SCHEME: {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key. Each operation names the scope that the key must have: read, events or admin. "
            "A key with the scope preview may ask what read may, and each of its lists is a preview.",
        }
    }


def _expect_told_to_be_open(open_on: str) -> None:
    if not open_on:
        raise InvalidArgumentError(
            "GATEWAY_API_KEYS_FILE: expected a file of API keys (python -m gateway.new_key makes them), found none; "
            "to answer everybody, set GATEWAY_OPEN_ON=127.0.0.1"
        )
    if open_on not in (ANYWHERE, "localhost") and not _is_loopback(open_on):
        raise InvalidArgumentError(
            f"GATEWAY_OPEN_ON: {open_on} can be reached from other machines: set GATEWAY_API_KEYS_FILE, "
            f"or GATEWAY_OPEN_ON={ANYWHERE} if they may all use this API"
        )


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _expect_own_page(scope: Scope, cors_origins: Sequence[str]) -> None:
    """What changes anything is not taken from the script of a page that CORS does not name.

    A browser asks CORS before a request only where its content type is no form's or text. Whoever is no browser says
    nothing of a site. Raises: HTTPException: 403.
    """
    if scope["method"] in _READING or header(scope, b"sec-fetch-site") not in _FOREIGN:
        return
    origin = (header(scope, b"origin") or b"").decode("latin-1")
    if origin not in cors_origins and _ANY_ORIGIN not in cors_origins:
        raise HTTPException(
            HTTPStatus.FORBIDDEN,
            f"expected a page of this origin or one of GATEWAY_CORS_ORIGINS, found one of {origin or 'unknown origin'}",
        )


def _secret_of(scope: Scope) -> bytes | None:
    value = header(scope, b"authorization")
    if value is None or value[: len(_BEARER)].lower() != _BEARER:
        return None
    return value[len(_BEARER) :].strip()


def header(scope: Scope, wanted: bytes) -> bytes | None:
    """The first header of this name, which ASGI has in lower case."""
    return next((bytes(value) for name, value in scope["headers"] if name == wanted), None)


def _refusal(status: HTTPStatus, detail: str, challenge: str) -> HTTPException:
    """RFC 6750, section 3."""
    return HTTPException(status, detail, {"WWW-Authenticate": challenge})
