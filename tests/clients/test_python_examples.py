"""The Python client's examples run against a running system, and its README's lines too."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools.local_stack import LocalStack

PACKAGE = Path(__file__).parents[2] / "clients/python"
EXAMPLES = PACKAGE / "examples"


def run(*arguments: str | Path) -> list[str]:
    """The lines that a script prints."""
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_visitor_gets_a_list_clicks_buys_and_gets_another_one(stack: LocalStack) -> None:
    *listed, accepted, again = run(EXAMPLES / "product_page.py", stack.gateway_url)
    assert [line.split()[0] for line in listed] == ["1", "2", "3"]
    assert (accepted, again) == ("accepted: 1", "bought item recommended again: False")


def test_without_an_answer_the_example_says_why() -> None:
    command = [sys.executable, EXAMPLES / "product_page.py", "http://127.0.0.1:9"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("no recommendations: POST http://127.0.0.1:9/v1/recommendations: ")


def test_a_catalogue_is_changed_and_read(stack: LocalStack) -> None:
    put, on_sale, items, left = run(EXAMPLES / "catalogue.py", stack.gateway_url)
    assert (put, on_sale, left) == ("put: 3", "on sale: False", "left: 0")
    assert int(items.removeprefix("items: ")) >= 12


def test_lists_for_several_users_come_at_once(stack: LocalStack) -> None:
    lines = run(EXAMPLES / "many_lists.py", stack.gateway_url, "user-00", "user-01", "nobody/knows")
    assert [line.split()[0] for line in lines] == ["user-00", "user-01", "nobody/knows"]
    assert lines[0].split()[1] == "item-00"  # the one that they lack
    assert all(len(line.split()) == 4 for line in lines)


def test_a_shops_own_tests_pass() -> None:
    lines = run("-m", "pytest", "-q", "-p", "no:cacheprovider", EXAMPLES / "test_shop.py")
    assert "2 passed" in lines[-1]


def test_the_lines_of_the_readme_run(stack: LocalStack) -> None:
    (script,) = re.findall(r"```python\n(.*?)```", (PACKAGE / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert "http://127.0.0.1:8000" in script
    run("-c", script.replace("http://127.0.0.1:8000", stack.gateway_url))


@pytest.mark.parametrize("path", [*EXAMPLES.glob("*.py")], ids=lambda path: path.name)
def test_every_example_is_named_in_the_readme(path: Path) -> None:
    assert f"(examples/{path.name})" in (PACKAGE / "README.md").read_text(encoding="utf-8")
