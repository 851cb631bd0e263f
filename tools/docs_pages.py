"""Lays the pages of the site out as they lie in the repository, so that a link between two of them holds in both.

`python -m tools.docs_pages FOLDER`: every page, and what a page links to: pictures and JSON as they are, code as a page
that shows it. Fails on a link that leads nowhere.
"""

import re
import shutil
import sys
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).resolve().parents[1]
_PAGES: Final = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/**/*.md",
    "cli/README.md",
    "examples/README.md",
    "clients/*/README.md",
    "jobs/*/README.md",
    "services/*/README.md",
)
_LINK: Final = re.compile(r"(?<=\]\()(?!\w+:)[^)#\s]+")
_SHOWN_BY_BROWSERS: Final = {".json", ".png", ".svg"}


def pages() -> set[Path]:
    """Relative to the repository."""
    return {path.relative_to(_ROOT) for pattern in _PAGES for path in _ROOT.glob(pattern)}


def linked_files(page: Path) -> dict[str, Path]:
    """What a page's links name → the file, relative to the repository; links to pages are among them.

    Raises ValueError: a link leads to no file of the repository.
    """
    found: dict[str, Path] = {}
    for target in _LINK.findall((_ROOT / page).read_text(encoding="utf-8")):
        path = (_ROOT / page.parent / target).resolve()
        if not path.is_file() or not path.is_relative_to(_ROOT):
            raise ValueError(f"{page}: a link leads to {target}; expected a file of the repository")
        found[target] = path.relative_to(_ROOT)
    return found


def lay_out(folder: Path) -> None:
    """Write all of them into a folder, which holds nothing else afterwards."""
    shutil.rmtree(folder, ignore_errors=True)
    texts: dict[Path, str] = {}
    for page in sorted(pages()):
        code = {target: path for target, path in linked_files(page).items() if _is_code(path)}
        texts |= {_page_of(path): _as_page(path) for path in code.values()}
        texts[page] = _LINK.sub(
            lambda link, code=code: f"{link[0]}.md" if link[0] in code else link[0],
            (_ROOT / page).read_text(encoding="utf-8"),
        )
        for path in linked_files(page).values():
            if path.suffix in _SHOWN_BY_BROWSERS:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(_ROOT / path, folder / path)
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


def _is_code(path: Path) -> bool:
    return path.suffix not in _SHOWN_BY_BROWSERS | {".md"}


def _page_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.md")


def _as_page(path: Path) -> str:
    language = path.suffix.removeprefix(".").replace("mjs", "js")
    return f"# {path}\n\n~~~~~~{language}\n{(_ROOT / path).read_text(encoding='utf-8')}~~~~~~\n"


if __name__ == "__main__":
    lay_out(Path(sys.argv[1]))
