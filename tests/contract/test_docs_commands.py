"""Commands in the documentation are ones that there are: target, module, option, profile, variable, route, field.

Those of a shell block, an indented one, and a line of text. That they do what is said of them, the tests of each say.
"""

import importlib.util
import json
import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
import typer
import yaml
from process_settings import ALL_SETTINGS, variables

from recsys_cli.__main__ import app as recsys
from recsys_cli.from_trainer import TrainerCommand
from trainer.__main__ import app as trainer

ROOT: Final = Path(__file__).resolve().parents[2]
DOCUMENTS: Final = [
    path
    for pattern in ("*.md", "docs/**/*.md", "[cesj]*/**/README.md")
    for path in sorted(ROOT.glob(pattern))
    if "node_modules" not in path.parts and path.name != "CHANGELOG.md"
]
MAKEFILE: Final = (ROOT / "Makefile").read_text(encoding="utf-8")
COMPOSE: Final = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
OPENAPI: Final = json.loads((ROOT / "services/gateway/openapi.json").read_text(encoding="utf-8"))
TREES: Final = {"recsys": typer.main.get_command(recsys), "trainer": typer.main.get_command(trainer)}

OF_MAKE: Final = {"--silent", "--jobs"}
OPEN: Final = re.compile(r"[…{}<>]|\.\.\.")  # a place that the reader fills in
OUR_VARIABLE: Final = re.compile(rf"({'|'.join(name.upper() for name in ALL_SETTINGS)})_[A-Z_]+(?==)")
VARIABLES: Final = {name for settings in ALL_SETTINGS.values() for name in variables(settings)}
ROUTE: Final = re.compile(r"`(GET|POST|PUT|PATCH|DELETE) (/v1/[^` ?]+)")
API: Final = re.compile(r"(http://)?(127\.0\.0\.1|localhost):8000|\$api\b")
INDENTED: Final = re.compile(r"^    (?:curl|make|docker|node|python|\.venv).*(?:\n    .*)*", re.MULTILINE)
INLINE: Final = re.compile(r"`((?:make|recsys|trainer|(?:\.venv/bin/)?python3? -m|\.venv/bin/recsys) [^`]+)`")


def commands(document: Path) -> Iterator[list[str]]:
    """The words of each command, without comments and without variables that are set before it."""
    text = document.read_text(encoding="utf-8")
    fenced = re.findall(r"^ *```sh\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    prose = re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)
    for block in [*fenced, *INDENTED.findall(prose), *INLINE.findall(prose)]:
        for line in lines_of(block):
            yield from commands_of(line)


def lines_of(block: str) -> Iterator[str]:
    """Lines, where one that ends within quotes or with a backslash goes on in the next."""
    begun = ""
    for line in block.splitlines():
        begun += line.removesuffix("\\")
        without_comment = re.sub(r"(^|\s)#.*", "", begun)
        if not line.endswith("\\") and without_comment.count("'") % 2 == 0:
            yield begun
            begun = ""
    if begun:
        yield from begun.splitlines()  # an apostrophe of prose


def commands_of(line: str) -> Iterator[list[str]]:
    """What stands between pipes and the like."""
    try:
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|;&<>()")
        lexer.whitespace_split = True
        words = list(lexer)
    except ValueError:  # an apostrophe of prose within a placeholder
        words = line.split()
    while words:
        end = next((n for n, word in enumerate(words) if re.fullmatch(r"[|;&]+", word)), len(words))
        command, words = words[:end], words[end + 1 :]
        while command and re.match(r"[A-Za-z_]+=", command[0]):
            command = command[1:]
        if command:
            yield command


def expect_make(arguments: list[str]) -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    for argument in arguments:
        if argument in OF_MAKE or "=" in argument or OPEN.search(argument):
            continue
        benchmark = argument.removeprefix("benchmark-").replace("-", "_")
        assert argument in targets or (ROOT / f"benchmarks/{benchmark}.py").is_file(), f"make {argument}"


def expect_in_tree(tree: Any, arguments: list[str]) -> None:
    """Subcommands as far as they go, then options that the last one has."""
    said = " ".join(arguments)
    words = [word.strip("[],") for word in arguments]
    while hasattr(tree, "commands") and words and not words[0].startswith("-"):
        if OPEN.search(words[0]) or words[0].isupper():
            return
        assert words[0] in tree.commands, said
        tree, words = tree.commands[words[0]], words[1:]
    if isinstance(tree, TrainerCommand):  # stands for one of the trainer's
        tree = TREES["trainer"].commands[tree.trainers_name]
    known = {name for parameter in tree.params for name in [*parameter.opts, *parameter.secondary_opts]}
    known |= {"--help", "--version", "--install-completion", "--show-completion"}
    for word in words:
        if word.startswith("--"):
            assert word.split("=")[0] in known, f"{said}: {word}"


def expect_module(arguments: list[str]) -> None:
    name, *rest = arguments
    if name in TREES:
        expect_in_tree(TREES[name], rest)
        return
    if OPEN.search(name) or name.isupper():
        return
    if (ROOT / f"services/{name}/src/{name}/__main__.py").is_file():  # the page has an environment of its own
        return
    spec = importlib.util.find_spec(name)
    assert spec is not None, f"python -m {name}"
    if name.startswith(("benchmarks.", "tools.")):
        folder = ROOT / name.split(".")[0]
        source = "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.py")))
        for word in rest:
            if word.startswith("--"):
                assert f'"{word}"' in source, f"{name}: {word}"


def expect_compose(arguments: list[str]) -> None:
    profiles = {profile for service in COMPOSE["services"].values() for profile in service.get("profiles", [])}
    for option, value in pairwise(arguments):
        if option == "--profile":
            assert value in profiles, f"docker compose --profile {value}"


def operations_at(method: str, path: str) -> list[dict[str, Any]]:
    """Of the API's document; `…`, `NAME` or `{id}` in the path stands for any value."""
    segments = [".+" if OPEN.search(part) or part.isupper() else re.escape(part) for part in path.strip("/").split("/")]
    asked = re.compile("/" + "/".join(segments))
    matching = [
        known
        for known in OPENAPI["paths"]
        if asked.fullmatch(known) or re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", known), path)
    ]
    return [OPENAPI["paths"][known][method.lower()] for known in matching if method.lower() in OPENAPI["paths"][known]]


def expect_curl(arguments: list[str]) -> None:
    url = next((word for word in arguments if API.match(word)), None)
    if url is None:
        return
    path, _, query = API.sub("/v1" if url.startswith("$api") else "", url).partition("?")
    if path in {"/docs", "/openapi.json", "/healthz", "/readyz"}:
        return
    bodies = [arguments[n + 1] for n, word in enumerate(arguments[:-1]) if word in ("-d", "--data")]
    method = arguments[arguments.index("-X") + 1] if "-X" in arguments else "POST" if bodies else "GET"
    operations = operations_at(method, path)
    assert operations, f"{method} {url}"
    known = {parameter["name"] for operation in operations for parameter in operation.get("parameters", [])}
    assert {part.split("=")[0] for part in query.split("&") if part} <= known, url
    for body in bodies:
        schemas = [
            each["requestBody"]["content"]["application/json"]["schema"] for each in operations if "requestBody" in each
        ]
        assert any(fits(json.loads(body), schema) for schema in schemas), f"{method} {url}: {body}"


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """Whether every field of it, however deep, is one that the schema has."""
    if "$ref" in schema:
        return fits(value, OPENAPI["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]])
    choices = [*schema.get("anyOf", []), *schema.get("oneOf", [])]
    if choices:
        return any(fits(value, choice) for choice in choices)
    if isinstance(value, dict):
        fields, others = schema.get("properties", {}), schema.get("additionalProperties", False)
        return schema.get("type") == "object" and all(
            fits(each, fields[name]) if name in fields else bool(others) for name, each in value.items()
        )
    if isinstance(value, list):
        return schema.get("type") == "array" and all(fits(each, schema.get("items", {})) for each in value)
    return schema.get("type") not in {"object", "array"}


def expect_paths(words: list[str]) -> None:
    """Those of the repository."""
    for word in words:
        named = word.split("=", 1)[-1]
        if re.match(r"(\./)?(examples|tools|benchmarks|config|requirements|deploy|clients)/[\w./-]+$", named):
            assert (ROOT / named).exists(), named


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_variable_that_is_set_and_a_route_that_is_named_are_ones_that_there_are(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    set_somewhere = {match[0] for match in OUR_VARIABLE.finditer(text)}
    assert set_somewhere <= VARIABLES
    assert not [(method, path) for method, path in ROUTE.findall(text) if not operations_at(method, path)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_command_is_one_that_there_is(document: Path) -> None:
    for program, *arguments in commands(document):
        name = Path(program).name
        if name == "make":
            expect_make(arguments)
        elif name in TREES:
            expect_in_tree(TREES[name], arguments)
        elif name in {"python", "python3"} and arguments[:1] == ["-m"]:
            expect_module(arguments[1:])
        elif [name, *arguments[:1]] == ["docker", "compose"]:
            expect_compose(arguments)
        elif name == "curl":
            expect_curl(arguments)
        expect_paths(arguments)


def test_it_finds_a_command_that_there_is_not(tmp_path: Path) -> None:
    for wrong in (
        "make benchmark-nothing",
        "recsys versionz",
        "recsys versions --jsn",
        ".venv/bin/python -m trainer train --event x",
        "python -m benchmarks.quality --just beauty",
        "docker compose --profile sparks up",
        "curl http://127.0.0.1:8000/v1/user/u1",
        "curl -X DELETE http://127.0.0.1:8000/v1/categories",
        'curl -X POST $api/events -d \'{"itemid": "i"}\'',
        'curl localhost:8000/v1/recommendations -d \'{"filter": {"max_prize": 2}}\'',
        "curl 'http://127.0.0.1:8000/v1/users/u1/recommendations?counts=5'",
        "node examples/nothing.js",
    ):
        document = tmp_path / "page.md"
        document.write_text(f"```sh\n{wrong}\n```\n", encoding="utf-8")
        with pytest.raises(AssertionError):
            test_a_command_is_one_that_there_is(document)


def test_it_finds_a_variable_and_a_route_that_there_are_not(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    for wrong in ("`make demo GATEWAY_PROT=8080`", "`DELETE /v1/categories`", "`GET /v1/user/{user_id}`"):
        document.write_text(f"{wrong}\n", encoding="utf-8")
        with pytest.raises(AssertionError):
            test_a_variable_that_is_set_and_a_route_that_is_named_are_ones_that_there_are(document)
