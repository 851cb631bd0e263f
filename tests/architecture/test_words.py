"""Public names use the words of docs/glossary.md, and none that it gives another word for."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = sorted(
    path
    for folder in ("libs", "services", "jobs", "clients", "cli")
    for path in [*(ROOT / folder).glob("*/src/**/*.py"), *(ROOT / folder).glob("src/**/*.py")]
    if not path.stem.endswith(("_pb2", "_pb2_grpc"))
)
ROW = re.compile(r"^\| (?P<word>[^|]+) \| [^|]+ \|(?P<twins>[^|]*)\|$", re.MULTILINE)
GLOSSARY = [
    (row["word"].split(", "), [twin for twin in row["twins"].strip().split(", ") if twin])
    for row in ROW.finditer((ROOT / "docs/glossary.md").read_text(encoding="utf-8"))
    if row["word"] not in ("word", "---")
]
TWINS = {twin for _, twins in GLOSSARY for twin in twins}


def words_of(name: str) -> str:
    """`SpareList`, `spareList` and `SPARE_LIST` as `_spare_list_`."""
    return "_" + re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).strip("_").lower() + "_"


def names_in(source: str) -> Iterator[str]:
    """Modules, classes, functions, arguments and attributes that it defines, and the names that it assigns."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def forbidden(name: str) -> set[str]:
    """The words of the last column that are in a name; their plurals too."""
    words = words_of(name)
    return {twin for twin in TWINS if f"_{twin}_" in words or f"_{twin}s_" in words}


def test_no_word_stands_twice_and_none_is_its_own_twin() -> None:
    words = [word for row, _ in GLOSSARY for word in row]
    assert len(words) > 30
    assert len(words) == len(set(words))
    assert not TWINS & set(words)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("SpareList", {"spare", "spare_list"}),
        ("_left_out", {"left_out"}),
        ("is_away", {"away"}),
        ("LANES", {"lane"}),
        ("plane", set()),
        ("EligibleItems", set()),
    ],
)
def test_a_forbidden_word_is_found_however_it_is_written(name: str, found: set[str]) -> None:
    assert forbidden(name) == found


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_use_the_words_of_the_glossary(path: Path) -> None:
    if path.is_relative_to(ROOT / "services/ui") and sys.version_info < (3, 13):
        pytest.skip("read in the UI's own environment")
    names = {path.stem, *names_in(path.read_text(encoding="utf-8"))}
    assert not {name: twins for name in names if (twins := forbidden(name))}
