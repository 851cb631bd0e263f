"""A running system and a headless Chromium that looks at it.

By default the demo shop is trained into a temporary volume and served as local processes; a system that already runs
is named by BROWSER_TEST_UI_URL and BROWSER_TEST_GATEWAY_URL.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from waiting import PATIENT, WITHIN_S

from tools.local_stack import PYTHON, LocalStack, Ports

QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
LAPTOP = (1280, 800)
PHONE = (390, 844)

expect.set_options(timeout=1_000 * WITHIN_S)


@dataclass(frozen=True)
class Addresses:
    ui: str
    gateway: str


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    if "BROWSER_TEST_UI_URL" in os.environ:
        yield Addresses(ui=os.environ["BROWSER_TEST_UI_URL"], gateway=os.environ["BROWSER_TEST_GATEWAY_URL"])
        return
    folder: Path = tmp_path_factory.mktemp("browser")
    subprocess.run([PYTHON, "-m", "trainer", "train", "--artifact-dir", folder / "volume"], check=True)
    # the page and the test ask separately, and must get the same list; what the visitor clicks counts
    as_tested = PATIENT | {"GATEWAY_EXPLORATION": "0", "UI_TIMEOUT_S": str(WITHIN_S), "UI_COUNT_CLICKS": "true"}
    with LocalStack(
        folder / "volume",
        ports=Ports.free(),
        with_ui=True,
        jobs={"event_sink": []},
        log_dir=folder / "logs",
        environment=as_tested,
    ) as stack:
        yield Addresses(ui=stack.ui_url, gateway=stack.gateway_url)


@pytest.fixture(scope="module")
def ui_url(addresses: Addresses) -> str:
    return addresses.ui


@pytest.fixture(scope="module")
def gateway_url(addresses: Addresses) -> str:
    return addresses.gateway


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; `make setup-browser` installs it."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.fail("no chromium on the PATH: run `make setup-browser`, or `apt-get install chromium`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu", *QUIET])
        yield browser
        browser.close()


@pytest.fixture
def laptop(browser: Browser) -> Iterator[Page]:
    """A visitor with a laptop who has never been here."""
    yield from _page(browser, LAPTOP)


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    """A visitor with a phone who has never been here."""
    yield from _page(browser, PHONE)


def _page(browser: Browser, size: tuple[int, int]) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    context.set_default_timeout(1_000 * WITHIN_S)
    yield context.new_page()
    context.close()
