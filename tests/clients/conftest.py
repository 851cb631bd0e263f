"""A small shop that runs as local processes, its static pages on another origin, the JavaScript client, a browser."""

import hashlib
import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest
import tiny_artifact
import yaml
from event_stream import Stream
from playwright.sync_api import Browser, Page, expect, sync_playwright
from waiting import PATIENT, WITHIN_S

from tools.local_stack import LocalStack, Ports

ROOT: Final = Path(__file__).parents[2]
JAVASCRIPT: Final = ROOT / "clients/javascript"
SHOP: Final = tiny_artifact.with_baskets(tiny_artifact.checkerboard(), {2: {9: 3.0, 3: 2.0, 6: 1.0}})
SETTINGS: Final = PATIENT | {"GATEWAY_EXPLORATION": "0"}
SHOP_KEY: Final = "rk_the-shops-own"

expect.set_options(timeout=1_000 * WITHIN_S)


class QuietPages(SimpleHTTPRequestHandler):
    """Static files, without a line for each request."""

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="session")
def javascript_package() -> Path:
    """The JavaScript client, built as a release builds it: `make clients`, without the packing."""
    if shutil.which("npm") is None:
        pytest.fail("no npm on the PATH: install Node 18 or newer")
    subprocess.run(["make", "--silent", "clients/javascript/dist/index.js"], cwd=ROOT, check=True, capture_output=True)
    return JAVASCRIPT


@pytest.fixture(scope="session")
def page_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the origin of the shop's static pages serves: the examples, and the client beside them."""
    folder: Path = tmp_path_factory.mktemp("pages")
    for name in ("examples", "dist"):
        (folder / name).symlink_to(JAVASCRIPT / name)
    return folder


@pytest.fixture(scope="session")
def page_origin(page_folder: Path) -> Iterator[str]:
    """That origin, as `python -m http.server` serves a folder."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietPages, directory=str(page_folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, page_origin: str) -> Iterator[LocalStack]:
    """Twelve items, six users and an empty feature store; the static pages' scripts may call."""
    folder: Path = tmp_path_factory.mktemp("clients")
    tiny_artifact.publish(SHOP, folder / "volume")
    settings = SETTINGS | {"GATEWAY_CORS_ORIGINS": f'["{page_origin}"]'}
    with LocalStack(folder / "volume", ports=Ports.free(), log_dir=folder / "logs", environment=settings) as stack:
        yield stack


@pytest.fixture(scope="module")
def closed_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """The same shop; no page of another origin may call, and only the shop's key opens it."""
    folder: Path = tmp_path_factory.mktemp("closed")
    tiny_artifact.publish(SHOP, folder / "volume")
    digest = hashlib.sha256(SHOP_KEY.encode()).hexdigest()
    key = {"name": "shop", "sha256": digest, "scopes": ["read", "events"]}
    (folder / "keys.yaml").write_text(yaml.safe_dump({"keys": [key]}))
    settings = SETTINGS | {"GATEWAY_API_KEYS_FILE": str(folder / "keys.yaml")}
    with LocalStack(folder / "volume", ports=Ports.free(), log_dir=folder / "logs", environment=settings) as stack:
        yield stack


@pytest.fixture(scope="module")
def shop_server(closed_stack: LocalStack, javascript_package: Path) -> Iterator[str]:
    """The example of a shop's own server, in front of the closed system."""
    port = Ports.free().ui
    command = ["node", "examples/shop_server.mjs", closed_stack.gateway_url, str(port), SHOP_KEY]
    with subprocess.Popen(command, cwd=javascript_package, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == f"http://127.0.0.1:{port}/examples/shop.html\n"  # it listens
        yield f"http://127.0.0.1:{port}"
        server.terminate()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; `make setup-browser` installs it."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.fail("no chromium on the PATH: run `make setup-browser`, or `apt-get install chromium`")
    with sync_playwright() as playwright:
        quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
        browser = playwright.chromium.launch(executable_path=chromium, args=quiet)
        yield browser
        browser.close()


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Page]:
    """Somebody who has never been here."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(1_000 * WITHIN_S)
    yield context.new_page()
    context.close()


@pytest.fixture
def stream(stack: LocalStack) -> Stream:
    return Stream(stack)


@pytest.fixture
def closed_stream(closed_stack: LocalStack) -> Stream:
    return Stream(closed_stack)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
