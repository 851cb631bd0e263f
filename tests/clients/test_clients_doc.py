"""What docs/into-your-shop.md says works as it stands there: packages, page and back end."""

import email
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from event_stream import Stream
from playwright.sync_api import Page, expect

from tools.local_stack import LocalStack

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/into-your-shop.md").read_text(encoding="utf-8")
DEMO = "http://127.0.0.1:8000"
UV = ROOT / ".tools/bin/uv"


def block(language: str, containing: str = "") -> str:
    """The one block of a language that holds a text."""
    (found,) = (each for each in re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL) if containing in each)
    return str(found)


@pytest.fixture(scope="module")
def packages() -> list[Path]:
    """Wheel and npm package, built by the first line of the page."""
    first = block("sh", "make clients").splitlines()[0]
    assert first.split("#")[0].strip() == "make clients"
    subprocess.run(["make", "--silent", "clients"], cwd=ROOT, check=True, capture_output=True)
    named = [ROOT / path for path in re.findall(r"install (\S+)", block("sh", "make clients"))]
    assert sorted(named) == sorted((ROOT / "build/clients").glob("[!.]*"))
    return named


@pytest.fixture(scope="module")
def installed_wheel(packages: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package alone; what it depends on is in this environment."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        UV,
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--python",
        sys.executable,
        "--target",
        folder,
        packages[0],
    ]
    subprocess.run(command, check=True)
    return folder


@pytest.fixture(scope="module")
def shop_folder(packages: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop's folder into which the npm package was installed, and its page."""
    folder = tmp_path_factory.mktemp("shop")
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--offline", packages[1]]
    subprocess.run(command, cwd=folder, check=True)
    (folder / "shop").mkdir()
    (folder / "shop/index.html").write_text(block("html", "recommendWhenVisible"), encoding="utf-8")
    (folder / "shop/item.html").write_text(block("html", "getItem"), encoding="utf-8")
    (command_of_copy,) = re.findall(r"`(cp -r [^`]+)`", TEXT)
    subprocess.run(command_of_copy.split(), cwd=folder, check=True)
    return folder


def test_the_wheel_is_typed_and_needs_httpx_alone(packages: list[Path]) -> None:
    with zipfile.ZipFile(packages[0]) as wheel:
        names = wheel.namelist()
        (metadata,) = (name for name in names if name.endswith("METADATA"))
        described = email.message_from_bytes(wheel.read(metadata))
    assert "recsys_client/py.typed" in names
    assert "recsys_client/testing/fake_gateway.py" in names
    assert {name.split("/")[0] for name in names} == {"recsys_client", "recsys_client-0.1.0.dist-info"}
    assert [each.split(">")[0] for each in described.get_all("Requires-Dist", [])] == ["httpx"]
    assert described["Requires-Python"] == ">=3.10"


def test_the_npm_package_brings_nothing_but_itself(shop_folder: Path) -> None:
    installed = [path.name for path in (shop_folder / "node_modules").iterdir() if not path.name.startswith(".")]
    assert installed == ["recsys-client"]


def test_two_short_pages_are_a_shop_with_tracking(
    visitor: Page, shop_folder: Path, page_origin: str, page_folder: Path, stack: LocalStack, stream: Stream
) -> None:
    assert len(block("html", "recommendWhenVisible").splitlines()) <= 16
    served = page_folder / "shop"
    shutil.copytree(shop_folder / "shop", served)
    for page in served.glob("*.html"):
        page.write_text(page.read_text(encoding="utf-8").replace(DEMO, stack.gateway_url), encoding="utf-8")
    visitor.goto(f"{page_origin}/shop/index.html")
    expect(visitor.locator("#list li")).to_have_count(5)
    list_id = visitor.locator("#list").get_attribute("data-recsys-list")
    item_id = visitor.locator("#list li").nth(3).get_attribute("data-recsys-item")
    visitor.locator("#list li a").nth(3).click()
    expect(visitor.locator("main")).to_have_attribute("data-recsys-view", str(item_id))
    visitor.get_by_role("button", name="Into the cart").click()
    visitor.get_by_role("button", name="Buy").click()
    events = stream.events(lambda events: len(events) >= 3)
    assert sorted(each.event_type for each in events) == ["cart", "purchase", "view"]
    assert {(each.item_id, each.list_id, each.position) for each in events} == {(item_id, list_id, 4)}


def test_fifteen_lines_are_a_back_end(installed_wheel: Path, stack: LocalStack, stream: Stream) -> None:
    lines = block("python")
    assert len([line for line in lines.splitlines() if line]) <= 15
    used = """
import recsys_client
print(recsys_client.__file__)
shown = list_for("doc-session")
print(len(shown["items"]))
for _ in range(2):
    bought("doc-session", shown["items"][0][0], 9.5, shown["list_id"], "order-1/1")
print(shown["items"][0] in list_for("doc-session")["items"])
"""
    done = subprocess.run(
        [sys.executable, "-c", lines.replace(DEMO, stack.gateway_url) + used],
        env={"PYTHONPATH": str(installed_wheel)},
        capture_output=True,
        text=True,
        check=True,
    )
    where, count, again = done.stdout.splitlines()
    assert where.startswith(str(installed_wheel))
    assert (count, again) == ("5", "False")
    (event,) = stream.events(lambda events: len(events) >= 1)
    assert (event.event_id, event.event_type, event.value) == ("order-1/1", "purchase", 9.5)
    assert stream.exposures(lambda shown: event.list_id in {each.list_id for each in shown})


def test_a_back_end_without_an_answer_still_has_a_page(installed_wheel: Path) -> None:
    lines = block("python").replace(DEMO, "http://127.0.0.1:9")
    done = subprocess.run(
        [sys.executable, "-c", lines + "print(list_for('s'))"],
        env={"PYTHONPATH": str(installed_wheel)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "{'list_id': None, 'items': []}\n"


def test_the_demo_takes_the_origins_as_the_page_writes_them() -> None:
    demo, _ = block("sh", "make demo").splitlines()
    dry = subprocess.run(
        ["make", "--dry-run", *demo.split()[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert dry.returncode == 0, dry.stderr
    assert "tools.demo run" in dry.stdout


def test_the_shops_own_server_is_started_as_the_page_writes_it(shop_server: str) -> None:
    (line,) = re.findall(r"node (clients/javascript/examples/shop_server.mjs) http://127.0.0.1:8000 8600 ", TEXT)
    assert (ROOT / line).exists()
    assert shop_server.startswith("http://127.0.0.1:")  # the fixture starts it by the same arguments


def test_every_file_that_the_page_links_to_exists() -> None:
    paths = [path for path in re.findall(r"\]\(([^)#]+)", TEXT) if "://" not in path]
    assert len(paths) == 12
    assert not [path for path in paths if not (ROOT / "docs" / path).exists()]
