"""Links of the documentation lead somewhere, and what a person sees is quoted as the code says it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted(ROOT.glob("services/*/README.md")),
    *sorted(ROOT.glob("jobs/*/README.md")),
]
SOURCES = "\n".join(
    path.read_text(encoding="utf-8")
    for folder in ("libs", "services", "jobs", "tools")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "/tests/" not in str(path)
)
OF_OTHERS = {
    "address already in use",
    'service "trainer" didn\'t complete successfully',
    "blocked by CORS policy",
    "No data",
}


COMMAND = re.compile(r'docker |POST |"')  # or a part of an answer: no message


def anchors(path: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = [line.lstrip("#") for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_link_within_the_repository_leads_to_a_file_and_a_heading_of_it(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
        if re.match(r"\w+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = document.parent / name if name else document
        assert path.exists(), target
        assert not anchor or path.suffix != ".md" or anchor in anchors(path), target


def seen() -> list[str]:
    """What each entry of the troubleshooting quotes in its bold beginning, without what differs each time."""
    text = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    entries = [block for block in text.split("\n\n") if block and not block.startswith("#")][2:]
    found = []
    for entry in entries:
        began = re.match(r"\*\*(.+?)\*\*", entry, flags=re.DOTALL)
        assert began, f"an entry begins with what a person sees: {entry[:80]}"
        found += re.findall(r"`([^`]+)`", began[1])
    return [quote for quote in found if " " in quote and quote not in OF_OTHERS and not COMMAND.match(quote)]


@pytest.mark.parametrize("quote", seen())
def test_a_message_in_the_troubleshooting_is_one_that_the_code_says(quote: str) -> None:
    parts = re.split(r"…|NAME|'events'|8000|GATEWAY_PORT|8010|error: ", quote)
    said = re.sub(r'"\s*\n?\s*f?"', "", SOURCES).lower()  # a text that is written in parts
    assert [part for part in parts if len(part.strip(" :.=")) > 4 and part.strip(" :.=").lower() not in said] == []
