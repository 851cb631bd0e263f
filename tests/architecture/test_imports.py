"""Who may import whom, as docs/architecture.md says it. The source is read, not run, so nothing need be installed.

The UI is written for Python 3.13, which an older Python cannot read: `make test` runs this file in both environments.
"""

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = {"recsys", "candidate_gen", "reranker", "gateway", "ui", "trainer", "trainer_spark", "event_sink", "feast_sync"}
OURS |= {"recsys_client", "recsys_cli"}

# folder → what nothing in it imports; a name stands for everything below it too
FORBIDDEN = {
    "libs/recsys": OURS - {"recsys"},
    "services/candidate_gen": OURS - {"recsys", "candidate_gen"},
    "services/reranker": OURS - {"recsys", "reranker"},
    "services/gateway": OURS - {"recsys", "gateway"} | {"numpy", "faiss", "recsys.artifact"},
    "services/ui": OURS - {"ui"},
    "jobs/trainer": OURS - {"recsys", "trainer"} | {"recsys.rpc", "recsys.v1"},
    # the one deployable that builds on another: the trainer's code is what its workers run
    "jobs/trainer_spark": OURS - {"recsys", "trainer", "trainer_spark"} | {"recsys.rpc", "recsys.v1"},
    "jobs/event_sink": OURS - {"recsys", "event_sink"} | {"faiss", "recsys.rpc", "recsys.v1"},
    "jobs/feast_sync": OURS - {"recsys", "feast_sync"} | {"recsys.rpc", "recsys.v1"},
    "clients/python": OURS - {"recsys_client"},
    "clients/grpc": OURS - {"recsys"},
    "cli": OURS - {"recsys", "trainer", "recsys_client", "recsys_cli"} | {"recsys.rpc", "recsys.v1"},
    "tests/e2e": OURS,
    "tests/browser": OURS,
}
# process → room → the other rooms that it may import; modules beside the rooms are for all but those of `TOP`
ROOMS = {
    "services/gateway": {
        "experiments": set(),
        "shop": {"experiments"},
        "http": {"shop"},
        "lists": {"shop", "experiments"},
        "routes": {"http", "shop", "lists", "experiments"},
        "rpc": {"http"},
    },
    "services/candidate_gen": {"search": set(), "query": set(), "campaigns": {"search"}},
    "jobs/trainer": {
        "shop_data": set(),
        "models": {"shop_data"},
        "evaluation": {"shop_data", "models"},
        "ranker": {"shop_data"},
        "choosing": {"shop_data", "models", "evaluation", "ranker"},
        "publishing": {"shop_data", "models", "evaluation", "choosing"},
        "report": {"shop_data", "models", "evaluation", "choosing", "publishing"},
        "importing": {"publishing"},
    },
}
TOP = {
    "__main__",
    "app",
    "openapi",
    "pipeline",
    "schedule",
    "version_commands",
}  # what puts the rooms together: no room knows it
GRPC_SERVICES = ["candidate_gen", "reranker"]
TRANSPORT = {"grpc", "google.protobuf", "recsys.rpc", "recsys.v1"}


def imported(source: str, module: str) -> Iterator[str]:
    """Every module or name that `source`, the text of `module`, imports, as an absolute dotted name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = module.split(".")[: -node.level] if node.level else []
            origin = ".".join([*package, *([node.module] if node.module else [])])
            # `from recsys import artifact` imports recsys.artifact; `from recsys.errors import X` names X below it
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def is_below(name: str, forbidden: set[str]) -> bool:
    """Whether `name` is one of the forbidden modules or in one of them."""
    return any(name == each or name.startswith(f"{each}.") for each in forbidden)


def skip_what_python_cannot_read(folder: str) -> None:
    """The page's source is of a newer Python; its own environment reads it."""
    if folder == "services/ui" and sys.version_info < (3, 13):
        pytest.skip("read in the UI's own environment")


def layer(module: str) -> int:
    """Where a module of a gRPC service stands, counted outwards.

    The domain, servicers and `wire`, `app` and `settings`, `__main__`.
    """
    last = module.rpartition(".")[2]
    if last == "__main__":
        return 3
    if last in ("app", "settings"):
        return 2
    return 1 if last == "wire" or last.endswith("servicer") else 0


def modules_of(source_folder: Path) -> dict[str, Path]:
    """Dotted name → file, for every module below a `src` folder."""
    return {
        ".".join(path.relative_to(source_folder).with_suffix("").parts): path for path in source_folder.rglob("*.py")
    }


def imports_within(source_folder: Path) -> dict[str, set[str]]:
    """Module → the modules below the same `src` folder that it imports, also where only types are checked."""
    modules = modules_of(source_folder)
    names = {name.removesuffix(".__init__"): name for name in modules}
    graph: dict[str, set[str]] = {}
    for module, path in modules.items():
        wanted = imported(path.read_text(encoding="utf-8"), module)
        named = (name if name in names else name.rpartition(".")[0] for name in wanted)
        graph[module] = {names[name] for name in named if name in names} - {module}
    return graph


def test_a_forbidden_import_is_found_however_it_is_written() -> None:
    written = [
        "import faiss",
        "import numpy.random as rnd",
        "from recsys import artifact",
        "from recsys.artifact.reader import Artifact",
        "def late():\n    from recsys.artifact import reader",
    ]
    forbidden = FORBIDDEN["services/gateway"]
    for source in written:
        assert any(is_below(name, forbidden) for name in imported(source, "gateway.app")), source
    assert not any(is_below(name, forbidden) for name in imported("from recsys.errors import DataError", "gateway.app"))


def test_a_relative_import_is_resolved() -> None:
    assert list(imported("from .servicer import X", "reranker.scorer")) == ["reranker.servicer.X"]
    assert list(imported("from . import servicer", "reranker.scorer")) == ["reranker.servicer"]
    assert list(imported("from ..app import X", "gateway.routes.items")) == ["gateway.app.X"]


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_a_folder_imports_only_what_it_may(folder: str) -> None:
    skip_what_python_cannot_read(folder)
    files = list((ROOT / folder).rglob("*.py"))
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in files
        for name in imported(path.read_text(encoding="utf-8"), path.stem)
        if is_below(name, FORBIDDEN[folder])
    ]
    assert files
    assert not wrong


@pytest.mark.parametrize("service", GRPC_SERVICES)
def test_the_domain_of_a_service_knows_no_transport(service: str) -> None:
    modules = modules_of(ROOT / "services" / service / "src")
    domain = {module: path for module, path in modules.items() if layer(module) == 0}
    wrong = [
        f"{module}: {name}"
        for module, path in domain.items()
        for name in imported(path.read_text(encoding="utf-8"), module)
        if is_below(name, TRANSPORT)
    ]
    assert domain
    assert not wrong


@pytest.mark.parametrize("service", GRPC_SERVICES)
def test_a_service_imports_from_its_main_inwards_only(service: str) -> None:
    modules = modules_of(ROOT / "services" / service / "src")
    wrong = [
        f"{module}: {other}"
        for module, path in modules.items()
        for name in imported(path.read_text(encoding="utf-8"), module)
        for other in modules
        if is_below(name, {other}) and layer(other) > layer(module)
    ]
    assert modules
    assert not wrong


@pytest.mark.parametrize("folder", ROOMS)
def test_a_room_imports_only_the_rooms_it_may(folder: str) -> None:
    rooms = ROOMS[folder]
    graph = imports_within(ROOT / folder / "src")
    package = Path(folder).name
    assert {module.split(".")[1] for module in graph if module.count(".") > 1} == set(rooms)
    wrong = [
        f"{module}: {other}"
        for module, others in graph.items()
        if module.count(".") > 1
        for other in others
        for room, target in [(module.split(".")[1], other.split(".")[1])]
        if other.startswith(f"{package}.") and (target in TOP or target in rooms.keys() - rooms[room] - {room})
    ]
    assert not wrong


@pytest.mark.parametrize("folder", [folder for folder in FORBIDDEN if (ROOT / folder / "src").is_dir()])
def test_no_module_imports_one_that_imports_it(folder: str) -> None:
    skip_what_python_cannot_read(folder)
    order = list(TopologicalSorter(imports_within(ROOT / folder / "src")).static_order())  # raises CycleError
    assert order


@pytest.mark.parametrize("folder", ROOMS)
def test_a_room_says_in_two_sentences_what_is_in_it_and_what_is_not(folder: str) -> None:
    for room in ROOMS[folder]:
        path = ROOT / folder / "src" / Path(folder).name / room / "__init__.py"
        said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        assert said.count(".") >= 2, path


def test_every_folder_with_code_has_its_rule() -> None:
    deployables = {
        str(path.parent.relative_to(ROOT))
        for pattern in ("*", "*/*")
        for path in ROOT.glob(f"{pattern}/pyproject.toml")
    }
    assert deployables <= set(FORBIDDEN)


def test_tasks_that_nobody_waits_for_are_made_where_they_are_supervised() -> None:
    makers = {
        str(path.relative_to(ROOT))
        for folder in ("libs", "services", "jobs")
        for path in (ROOT / folder).glob("*/src/**/*.py")
        if ".create_task(" in path.read_text(encoding="utf-8")
    }
    assert makers == {"libs/recsys/src/recsys/background.py"}
