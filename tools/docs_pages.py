"""Stages the pages of the site that `make docs` builds: README and docs/, and whatever they link to in the repository.

    python -m tools.docs_pages FOLDER

Every file keeps its place, so that a link leads to the same page on the site as in the repository. Code becomes
a page that shows it: a browser would run `shop.html` and download `shop.py`.
"""

import re
import shutil
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]

_LINK: Final = re.compile(r"\]\(([^)\s#]+)[^)\s]*\)|src=\"([^\"]+)\"")
_SHOWN_BY_BROWSERS: Final = {".json", ".png", ".svg"}
_FENCED: Final = re.compile(r"^( *)```.*?^\1```", re.DOTALL | re.MULTILINE)


def linked_from(page: Path) -> set[Path]:
    """The files of the repository that a Markdown page links to or shows."""
    text = _FENCED.sub("", page.read_text(encoding="utf-8"))
    targets = (a or b for a, b in _LINK.findall(text))
    paths = (page.parent / target for target in targets if not re.match(r"[a-z]+:", target))
    return {path.resolve() for path in paths if path.is_file()}


def pages() -> list[Path]:
    """README, docs/, and all files that these lead to, however far."""
    found: set[Path] = set()
    waiting = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += linked_from(path) if path.suffix == ".md" else ()
    return sorted(found)


def staged(path: Path) -> str:
    """A page, whose links to code lead to the page of that; or code as such a page."""
    text = path.read_text(encoding="utf-8")
    if _is_code(path):
        language = path.suffix.removeprefix(".").replace("mjs", "js")
        return f"# {path.relative_to(ROOT)}\n\n~~~~~~ {language}\n{text}~~~~~~\n"

    def to_page(link: re.Match[str]) -> str:
        target = link[1] or ""
        is_code = (path.parent / target).is_file() and _is_code(path.parent / target)
        return link[0].replace(target, f"{target}.md") if is_code else link[0]

    return _LINK.sub(to_page, text)


def _is_code(path: Path) -> bool:
    return path.suffix not in _SHOWN_BY_BROWSERS | {".md"}


def main() -> None:
    """Write them into an empty folder."""
    folder = Path(sys.argv[1])
    shutil.rmtree(folder, ignore_errors=True)
    for path in pages():
        copy = folder / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in _SHOWN_BY_BROWSERS:
            shutil.copy(path, copy)
        else:
            page = copy.with_name(f"{copy.name}.md") if _is_code(path) else copy
            page.write_text(staged(path), encoding="utf-8")


if __name__ == "__main__":
    main()
