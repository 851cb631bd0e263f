"""Keys from the file to the answer: which are valid, what each may, how often, and what a new file changes."""

import hashlib
import json
import logging
import os
from pathlib import Path

import httpx
import pytest
import yaml
from fastapi import FastAPI
from fastapi.routing import APIRoute
from limits import parse

from gateway import new_key
from gateway.api_keys import ApiKeys
from gateway.http.access import Access, guard, scope_of
from gateway.http.rate_limits import RateLimits
from gateway.settings import Settings
from recsys.errors import DataError, InvalidArgumentError

pytestmark = pytest.mark.anyio

READ, EVENTS, ADMIN, OLD, SLOW = "rk_read", "rk_events", "rk_admin", "rk_old", "rk_slow"
OPEN_PATHS = {"/healthz", "/readyz"}


def entry(name: str, secret: str, *scopes: str, **more: str) -> dict[str, object]:
    return {"name": name, "sha256": hashlib.sha256(secret.encode()).hexdigest(), "scopes": list(scopes), **more}


def write(path: Path, *entries: dict[str, object]) -> Path:
    path.write_text(yaml.safe_dump({"keys": list(entries)}))
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(
        tmp_path / "keys.yaml",
        entry("reader", READ, "read"),
        entry("shop", EVENTS, "read", "events"),
        entry("office", ADMIN, "admin"),
        entry("gone", OLD, "read", expires_at="2020-01-01T00:00:00Z"),
        entry("slow", SLOW, "read", rate_limit="2/hour"),
    )


@pytest.fixture
def keyed(app: FastAPI, path: Path) -> FastAPI:
    """The application, now with keys."""
    app.state.access = Access(ApiKeys(path))
    return app


@pytest.fixture
async def client(keyed: FastAPI, client: httpx.AsyncClient) -> httpx.AsyncClient:
    return client


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def routes_of(app: FastAPI) -> list[APIRoute]:
    """Every route of the API, out of the routers that were included."""
    return [
        route
        for included in app.router.routes
        for route in getattr(getattr(included, "original_router", None), "routes", [included])
        if isinstance(route, APIRoute)
    ]


async def test_every_route_says_which_scope_it_needs_but_the_health_probes(app: FastAPI) -> None:
    routes = routes_of(app)
    assert len(routes) > 20
    assert {route.path for route in routes if scope_of(route) is None} == OPEN_PATHS
    for operations in app.openapi()["paths"].values():
        for operation in operations.values():
            assert ("security" in operation) == ("401" in operation["responses"]) == ("403" in operation["responses"])


@pytest.mark.parametrize(
    ("scope", "operations"),
    [
        ("events", {"post_events", "merge_session"}),
        (
            "admin",
            {
                "change_items",
                "put_item",
                "patch_item",
                "delete_item",
                "erase_user",
                "get_erasure",
                "stop_experiment",
                "ship_experiment",
                "set_shares",
                "put_rules",
                "activate_version",
            },
        ),
    ],
)
async def test_what_changes_something_needs_more_than_reading(app: FastAPI, scope: str, operations: set[str]) -> None:
    assert {route.name for route in routes_of(app) if scope_of(route) == scope} == operations


async def test_every_operation_refuses_a_caller_without_a_key_and_one_with_the_wrong_scope(
    client: httpx.AsyncClient, keyed: FastAPI
) -> None:
    asked = 0
    for path, operations in keyed.openapi()["paths"].items():
        for method, operation in operations.items():
            if path in OPEN_PATHS:
                continue
            asked += 1
            [needed] = operation["security"][0]["api_key"]
            wrong = READ if needed != "read" else ADMIN
            address = path.replace("{", "").replace("}", "")
            without = await client.request(method, address)
            with_wrong = await client.request(method, address, headers=bearer(wrong))
            assert (without.status_code, without.headers["WWW-Authenticate"]) == (401, "Bearer"), address
            assert with_wrong.status_code == 403, address
            assert with_wrong.headers["WWW-Authenticate"] == f'Bearer error="insufficient_scope", scope="{needed}"'
            assert with_wrong.headers["Content-Type"] == "application/problem+json"
    assert asked > 20


async def test_the_probes_need_no_key(client: httpx.AsyncClient) -> None:
    assert [(await client.get(path)).status_code for path in sorted(OPEN_PATHS)] == [200, 200]


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer "},
        {"Authorization": READ},
        {"Authorization": f"Basic {READ}"},
        {"Authorization": f"Bearer{READ}"},
        {"X-API-Key": READ},
        bearer(READ + "x"),
        bearer(READ[:-1]),
        bearer(hashlib.sha256(READ.encode()).hexdigest()),
        bearer("ü"),
        bearer("x" * 60_000),
        bearer(OLD),
    ],
)
async def test_what_is_not_a_valid_key_is_answered_with_401(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    response = await client.get("/v1/model", headers={name: value.encode() for name, value in headers.items()})  # type: ignore[misc]
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert READ not in response.text


async def test_a_key_with_the_scope_is_answered_whatever_the_case_of_bearer(client: httpx.AsyncClient) -> None:
    for scheme in ("Bearer", "bearer", "BEARER"):
        response = await client.get("/v1/users/anna/recommendations", headers={"Authorization": f"{scheme} {READ}"})
        assert response.status_code == 200, response.text


async def test_a_key_that_asks_too_often_waits_and_another_does_not(client: httpx.AsyncClient) -> None:
    statuses = [(await client.get("/v1/model", headers=bearer(SLOW))).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    refused = await client.get("/v1/model", headers=bearer(SLOW))
    assert 1790 <= int(refused.headers["Retry-After"]) <= 1800
    assert (await client.get("/v1/model", headers=bearer(READ))).status_code == 200


async def test_a_request_counts_once_also_where_its_body_is_read_a_second_time(client: httpx.AsyncClient) -> None:
    bodies = [{"cuont": 1}, {"user_id": "anna"}, {"user_id": "anna"}]
    answers = [await client.post("/v1/recommendations", json=body, headers=bearer(SLOW)) for body in bodies]
    assert [answer.status_code for answer in answers] == [422, 200, 429]


async def test_a_request_line_names_the_key_that_asked(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="gateway.http.request_context"):
        await client.get("/v1/model", headers=bearer(EVENTS))
        await client.get("/v1/model")
    assert [record.__dict__["key"] for record in caplog.records if record.message == "request"] == ["shop", ""]


async def test_keys_are_rotated_while_requests_come(client: httpx.AsyncClient, keyed: FastAPI, path: Path) -> None:
    keys = ApiKeys(path)
    keyed.state.access = Access(keys)

    async def statuses(*secrets: str) -> list[int]:
        return [(await client.get("/v1/model", headers=bearer(secret))).status_code for secret in secrets]

    write(path, entry("reader", READ, "read"), entry("reader 2", "rk_new", "read"))
    assert await statuses(READ, "rk_new") == [200, 401]  # not looked at yet
    keys.refresh()
    assert await statuses(READ, "rk_new") == [200, 200]
    replacement = write(path.with_name("next"), entry("reader 2", "rk_new", "read"))
    os.replace(replacement, path)
    keys.refresh()
    assert await statuses(READ, "rk_new") == [401, 200]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("keys: [", "line 1: expected YAML"),
        (
            "keys:\n- {name: a, sha256: {h}, scopes: [read], expires_at: 2027-13-01T00:00:00Z}",
            "line 2: expected YAML",
        ),
        ("keys: []", "keys: List should have at least 1 item"),
        ("", "the whole"),
        ("keys: [{name: a, sha256: SECRET, scopes: [read]}]", "keys.0.sha256: String should match pattern"),
        ("keys: [{name: a, sha256: {h}, scopes: []}]", "keys.0.scopes: List should have at least 1 item"),
        (
            "keys: [{name: a, sha256: {h}, scopes: [write]}]",
            "keys.0.scopes.0: Input should be 'read', 'preview',",
        ),
        ("keys: [{name: a, sha256: {h}, scopes: [read], rate_limit: 5}]", "keys.0.rate_limit"),
        ("keys: [{name: a, sha256: {h}, scopes: [read], rate_limit: often}]", "keys.0.rate_limit: couldn't parse"),
        ("keys: [{name: a, sha256: {h}, scopes: [read], expires_at: 2027-01-01}]", "keys.0.expires_at: Input should"),
        (
            "keys: [{name: a, sha256: {h}, scopes: [read], secret: SECRET}]",
            "keys.0.secret: expected one of name, sha256",
        ),
        ("keys: [&a {name: a, sha256: {h}, scopes: [read]}, *a]", "two keys have the same name"),
    ],
)
async def test_a_bad_file_is_refused_without_quoting_it_and_the_keys_stay(
    path: Path, text: str, expected: str, caplog: pytest.LogCaptureFixture
) -> None:
    keys = ApiKeys(path)
    path.write_text(text.replace("{h}", hashlib.sha256(b"x").hexdigest()))
    with pytest.raises(DataError) as caught:
        ApiKeys(path)
    assert expected in str(caught.value)
    assert str(path) in str(caught.value)
    keys.refresh()
    keys.refresh()
    assert keys.find(READ.encode()) is not None
    assert [record.message for record in caplog.records] == [
        "a settings file cannot be used; what it said before stays"
    ]
    for said in (str(caught.value), caplog.text, str(caplog.records[0].__dict__["reason"])):
        assert "SECRET" not in said


async def test_a_file_that_goes_unavailable_changes_nothing(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keys = ApiKeys(path)
    path.unlink()
    keys.refresh()
    assert keys.find(READ.encode()) is not None
    assert "cannot be read: No such file" in str(caplog.records[0].__dict__["reason"])


async def test_a_new_key_works_once_its_line_is_in_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "keys.yaml"
    path.write_text("keys:\n")
    made = []
    for name in ("one", "two"):
        new_key.main(["--name", name, "--scopes", "read", "events", "--expires-at", "2999-01-01T00:00:00+00:00"])
        said = capsys.readouterr()
        made.append(next(word for word in said.err.split() if word.startswith("rk_")))
        with path.open("a") as file:
            file.write(said.out)
        assert made[-1] not in said.out
    found = [ApiKeys(path).find(secret.encode()) for secret in made]
    assert [(key.name, set(key.scopes)) for key in found if key] == [
        ("one", {"read", "events"}),
        ("two", {"read", "events"}),
    ]
    assert all(len(secret) >= 46 for secret in made)
    assert made[0] != made[1]


@pytest.mark.parametrize(
    "wrong", [["--rate-limit", "often"], ["--expires-at", "2999-01-01"], ["--scopes", "write"], ["--name", ""]]
)
async def test_a_key_that_the_file_could_not_hold_is_not_made(
    wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        new_key.main(["--name", "shop", "--scopes", "read", *wrong])
    assert "rk_" not in capsys.readouterr().err


@pytest.mark.parametrize("open_on", ["127.0.0.1", "::1", "localhost", "anywhere"])
async def test_open_only_if_told_so_and_that_is_a_warning(open_on: str, caplog: pytest.LogCaptureFixture) -> None:
    async with guard(Settings(open_on=open_on)) as access:
        access.check({"type": "http", "headers": []}, "admin")
    assert [(record.levelname, record.__dict__["on"]) for record in caplog.records] == [("WARNING", open_on)]


@pytest.mark.parametrize("open_on", ["", "0.0.0.0", "::", "10.0.0.7", "shop.example"])
async def test_neither_keys_nor_told_to_be_open_is_refused(open_on: str) -> None:
    with pytest.raises(InvalidArgumentError, match="GATEWAY_API_KEYS_FILE"):
        async with guard(Settings(open_on=open_on)):
            pass


async def test_with_keys_the_api_is_not_open_whatever_else_is_set(path: Path, app: FastAPI) -> None:
    async with guard(Settings(api_keys_file=path, open_on="anywhere")) as access:
        app.state.access = access
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
            assert (await client.get("/v1/model")).status_code == 401


async def test_an_allowance_comes_back_with_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("gateway.http.rate_limits.time.monotonic", lambda: now)
    limits = RateLimits(parse("10/second"))
    assert [limits.wait_s("a", None) for _ in range(10)] == [0.0] * 10
    assert limits.wait_s("a", None) == pytest.approx(0.1)
    assert limits.wait_s("b", None) == 0.0
    now = 100.1
    assert limits.wait_s("a", None) == 0.0
    assert limits.wait_s("a", None) == pytest.approx(0.1)
    now = 200.0
    assert [limits.wait_s("a", None) for _ in range(10)] == [0.0] * 10  # no more than the whole allowance
    assert limits.wait_s("a", None) > 0
    assert [limits.wait_s("c", parse("1/minute")) > 0 for _ in range(2)] == [False, True]
    assert RateLimits(None).wait_s("a", None) == 0.0


def test_the_committed_document_describes_the_key() -> None:
    document = json.loads((Path(__file__).parents[1] / "openapi.json").read_text(encoding="utf-8"))
    scheme = document["components"]["securitySchemes"]["api_key"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
