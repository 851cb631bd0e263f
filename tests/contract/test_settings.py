"""What the compose file sets, what the processes read and what docs/operations.md says of it are the same variables.

Processes ignore a variable that they do not know, so nothing but this finds a misspelt one.
"""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from process_settings import ALL_SETTINGS, variables

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
OPERATIONS = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
ENV_EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
OBJECT_STORE = set(yaml.safe_load(COMPOSE)["x-object-store"])  # as the provider names them; passed on if they are set
# the operating system's, compose's, OpenTelemetry's and Spark's own
NOT_OURS = {"HOME", "COMPOSE_PROJECT_NAME", "OTEL_EXPORTER_OTLP_ENDPOINT"}
NOT_OURS |= {"SPARK_LOCAL_HOSTNAME", "SPARK_DRIVER_MEMORY"}


PROCESS_OF = {
    "trainer-schedule": "trainer",
    "trainer-spark": "trainer",
    "recsys": "trainer",
}  # services of the compose file that are not named as their process
NO_PROCESS_OF_OURS = {"valkey", "prometheus", "grafana", "spark-data", "spark-master", "spark-worker"}
OF_THE_COMMAND = {"RECSYS_URL", "RECSYS_API_KEY", "EVENT_SINK_FEATURE_STORE_URL"}
# within its container a process listens where compose says
NOT_FROM_OUTSIDE = re.compile(r"_(PORT|METRICS_HOST)$")


def documented(prefix: str) -> dict[str, str]:
    """NAME → default, from the rows of the tables: | `NAME` | default | what for |."""
    rows = re.findall(r"^\| `(\w+)` \| `?([^|`]*?)`? \|", OPERATIONS, flags=re.MULTILINE)
    return {name: default for name, default in rows if name.startswith(prefix)}


@pytest.mark.parametrize("process", ALL_SETTINGS)
def test_the_documented_variables_are_those_that_a_process_reads(process: str) -> None:
    assert documented(f"{process.upper()}_") == variables(ALL_SETTINGS[process])


def test_the_compose_file_sets_only_variables_that_a_process_reads() -> None:
    services: dict[str, Any] = yaml.safe_load(COMPOSE)["services"]
    ours = services.keys() - NO_PROCESS_OF_OURS
    for name in ours:
        known = variables(ALL_SETTINGS[PROCESS_OF.get(name, name.replace("-", "_"))]).keys()
        of_command = OF_THE_COMMAND if name == "recsys" else set()
        assert set(services[name]["environment"]) <= known | NOT_OURS | OBJECT_STORE | of_command, name
    assert not any("environment" in services[name] for name in NO_PROCESS_OF_OURS)


def test_every_setting_of_a_process_can_be_set_in_env() -> None:
    services: dict[str, Any] = yaml.safe_load(COMPOSE)["services"]
    for name in services.keys() - NO_PROCESS_OF_OURS:
        known = variables(ALL_SETTINGS[PROCESS_OF.get(name, name.replace("-", "_"))]).keys()
        settable = {variable for variable in known if not NOT_FROM_OUTSIDE.search(variable)}
        assert settable <= set(services[name]["environment"]), name


def test_no_key_of_the_compose_file_stands_twice() -> None:
    def keys_of(node: yaml.Node, where: str) -> None:  # PyYAML takes the last of two, compose takes neither
        if isinstance(node, yaml.MappingNode):
            names = [name.value for name, _ in node.value]
            assert sorted(names) == sorted(set(names)), where
        for name, below in node.value if isinstance(node, yaml.MappingNode) else []:
            keys_of(below, f"{where}.{name.value}")

    keys_of(yaml.compose(COMPOSE), "docker-compose.yml")


def test_a_port_of_this_machine_in_env_does_not_move_a_process_in_its_container() -> None:
    for name, service in yaml.safe_load(COMPOSE)["services"].items():
        named = service.get("environment", {})
        assert not [variable for variable in named if variable.endswith("_PORT") and not named[variable]], name


def test_the_env_example_explains_exactly_the_variables_of_the_compose_file() -> None:
    used = set(re.findall(r"\$\{([A-Z_]+)", re.sub(r"#.*", "", COMPOSE))) - NOT_OURS
    assert set(re.findall(r"^#?([A-Z_]+)=", ENV_EXAMPLE, flags=re.MULTILINE)) == used | OBJECT_STORE
