"""The documentation as a site: it builds, no link of it leads nowhere, and a reader needs no network."""

import json
import os
import re
import shlex
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOADED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}


class Loads(HTMLParser):
    """What a browser fetches to show a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if value and name == LOADED.get(tag)]


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """As somebody at a terminal runs it: not as a part of the make that runs the tests."""
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
    return subprocess.run(["make", *arguments], cwd=ROOT, capture_output=True, text=True, check=False, env=environment)


@pytest.fixture(scope="module")
def site() -> Path:
    """Built by `make docs`, for which a warning is an error."""
    done = make("docs")
    assert done.returncode == 0, done.stdout + done.stderr
    return ROOT / "build/site"


def searched(site: Path) -> set[str]:
    """The pages that the search knows."""
    entries = json.loads((site / "search/search_index.json").read_text(encoding="utf-8"))["docs"]
    return {entry["location"].split("#")[0] for entry in entries}


def test_nothing_on_a_page_is_loaded_from_elsewhere(site: Path) -> None:
    pages = [site / place for place in searched(site)]
    assert len(pages) > 50
    for page in [*pages, site / "404.html"]:
        loads = Loads()
        loads.feed(page.read_text(encoding="utf-8"))
        assert len(loads.found) > 3
        for target in loads.found:
            assert not re.match(r"\w+:|//", target), f"{page}: {target}"
            path = page.parent / target.split("?")[0].split("#")[0]
            assert path.exists() or page.name == "404.html", f"{page}: {target}"  # that page's are from the root
    styles = "\n".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert not re.search(r"url\(\s*[\"']?(?:https?:)?//", styles)


def test_every_document_of_the_repository_is_on_it_and_can_be_searched(site: Path) -> None:
    documents = [ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("[sj]*/*/README.md")]
    for path in documents:
        page = path.relative_to(ROOT).with_suffix(".html")
        assert str(page.with_name("index.html") if path.name == "README.md" else page) in searched(site)


def test_a_link_that_leads_nowhere_ends_the_build(site: Path, tmp_path: Path) -> None:
    assert site.is_dir()  # so that its pages are staged
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    shutil.copytree(ROOT / "build/docs-pages", tmp_path / "build/docs-pages")
    with (tmp_path / "build/docs-pages/docs/quickstart.md").open("a", encoding="utf-8") as page:
        page.write("[nowhere](nothing.md)\n")
    dry = make("--dry-run", "docs")
    built = shlex.split(dry.stdout.splitlines()[-1].replace(".venv-docs/", f"{ROOT}/.venv-docs/"))
    done = subprocess.run(["env", *built], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "docs/quickstart.md" in done.stderr
    assert "nothing.md" in done.stderr


def test_code_that_a_page_links_to_is_shown_and_not_run(site: Path) -> None:
    shop = (site / "clients/javascript/examples/shop.html.html").read_text(encoding="utf-8")
    assert "data-md-component" in shop
    assert "A small shop" in shop
    assert not list(site.glob("clients/**/*.py"))
