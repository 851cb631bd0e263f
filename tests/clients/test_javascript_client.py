"""The JavaScript client: built from the OpenAPI document, tried in Node; its example runs against a running system."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tools.local_stack import LocalStack

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "clients/javascript"
DOCUMENT = ROOT / "services/gateway/openapi.json"


def run(*command: str | Path, cwd: Path = PACKAGE, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, env=os.environ | environment)


def test_the_client_keeps_its_promises_in_node(javascript_package: Path) -> None:
    done = run("npm", "test", cwd=javascript_package)
    assert done.returncode == 0, done.stdout


def test_a_back_end_in_node_lists_tracks_and_turns_pages(javascript_package: Path, stack: LocalStack) -> None:
    done = run("node", "examples/back_end.mjs", stack.gateway_url)
    assert done.returncode == 0, done.stderr
    *listed, accepted, again, items = done.stdout.splitlines()
    assert [line.split()[0] for line in listed] == ["1", "2", "3"]
    assert (accepted, again) == ("accepted: 2", "bought item recommended again: false")
    assert int(items.removeprefix("items: ")) >= 12


def changed(document: dict[str, Any]) -> dict[str, Any]:
    """A new operation, a moved one, and a field that is gone from a request and from an answer."""
    paths, schemas = document["paths"], document["components"]["schemas"]
    paths["/v1/items/newest"] = {"get": paths["/v1/items/popular"]["get"] | {"operationId": "get_newest_items"}}
    paths["/v1/happenings"] = paths.pop("/v1/events")
    schemas["RecommendationRequest"]["properties"].pop("paginate")
    schemas["ItemPage"]["properties"].pop("next_cursor")
    return document


def test_a_change_of_the_api_does_not_compile(javascript_package: Path, tmp_path: Path) -> None:
    (tmp_path / "openapi.json").write_text(json.dumps(changed(json.loads(DOCUMENT.read_text()))))
    shutil.copytree(javascript_package / "src", tmp_path / "src")
    for name in ("tsconfig.json", "package.json"):
        shutil.copy(javascript_package / name, tmp_path)
    tools = javascript_package / "node_modules/.bin"
    made = ["openapi.json", "--default-non-nullable=false", "--output", "src/schema.ts"]
    assert run(tools / "openapi-typescript", *made, cwd=tmp_path).returncode == 0
    done = run(tools / "tsc", "--noEmit", cwd=tmp_path)
    told = ["getNewestItems", '"/v1/events"', "'paginate' does not exist", "next_cursor"]
    assert [each for each in told if each not in done.stdout] == []


def test_the_package_depends_on_nothing_and_holds_what_was_built(javascript_package: Path) -> None:
    described = json.loads((javascript_package / "package.json").read_text())
    assert "dependencies" not in described
    packed = json.loads(run("npm", "pack", "--dry-run", "--json", "--ignore-scripts").stdout)[0]
    files = {each["path"] for each in packed["files"]}
    assert {"package.json", "README.md", "dist/index.js", "dist/index.d.ts", "dist/schema.d.ts"} <= files
    assert not [path for path in files if path.startswith(("src/", "tests/", "examples/", "node_modules/"))]


def test_both_packages_have_the_same_version() -> None:
    described = json.loads((PACKAGE / "package.json").read_text())
    assert f'version = "{described["version"]}"' in (ROOT / "clients/python/pyproject.toml").read_text()
