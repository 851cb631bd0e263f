"""What the compose file grants: as little as each container needs."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_has_a_read_only_root_no_capabilities_and_a_memory_limit(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["pids_limit"] <= 1024
    assert "privileged" not in service
    assert not {"network_mode", "pid", "ipc", "devices", "cap_add"} & service.keys()


@pytest.mark.parametrize("name", [name for name, service in SERVICES.items() if "build" in service])
def test_an_image_runs_as_a_user_without_rights(name: str) -> None:
    dockerfile = (ROOT / SERVICES[name]["build"]["dockerfile"]).read_text(encoding="utf-8")
    assert "USER 10001" in dockerfile.splitlines()


def test_only_the_api_and_the_page_are_published_and_on_loopback_unless_asked() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    # who watches does so from this machine, whatever else is published
    watching = {name: published.pop(name) for name in ("prometheus", "grafana")}
    assert all(port.startswith("127.0.0.1:") for ports in watching.values() for port in ports)
    assert published.keys() == {"gateway", "ui"}
    assert all(port.startswith("${BIND_ADDRESS:-127.0.0.1}:") for ports in published.values() for port in ports)


@pytest.mark.parametrize("name", [name for name, service in SERVICES.items() if "build" in service])
def test_an_image_is_built_from_pinned_versions(name: str) -> None:
    lines = (ROOT / SERVICES[name]["build"]["dockerfile"]).read_text(encoding="utf-8").splitlines()
    bases = [line.split()[1] for line in lines if line.startswith("FROM ")]
    assert bases
    for base in bases:
        assert re.fullmatch(r"python:3\.\d+-slim-[a-z]+", base), base
    assert any("pip install" in line and re.search(r"-[cr] requirements/\w+\.txt", line) for line in lines)


@pytest.mark.parametrize("path", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda path: path.name)
def test_every_dependency_has_one_version(path: Path) -> None:
    pins = [
        line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith((" ", "#", "-"))
    ]
    assert pins
    assert not [pin for pin in pins if not re.match(r"^[A-Za-z0-9._\[\],-]+==[^=]+$", pin)]


def test_the_api_is_open_only_as_far_as_its_port_is_published() -> None:
    environment = SERVICES["gateway"]["environment"]
    assert environment["GATEWAY_OPEN_ON"] == "${OPEN_ON:-${BIND_ADDRESS:-127.0.0.1}}"
    assert environment["GATEWAY_API_KEYS_FILE"] == "${API_KEYS_FOLDER:+/keys/api-keys.yaml}"
    mount, *_ = SERVICES["gateway"]["volumes"]
    assert (mount["target"], mount["read_only"]) == ("/keys", True)


@pytest.mark.parametrize(("name", "file"), [("RULES_FILE", "rules.yaml"), ("EXPERIMENTS_FILE", "experiments.yaml")])
def test_a_file_that_may_change_is_in_the_folder_of_the_configuration_which_the_repository_has(
    name: str, file: str
) -> None:
    assert SERVICES["gateway"]["environment"][f"GATEWAY_{name}"] == f"/config/{file}"
    assert "${CONFIG_FOLDER:-./config}:/config:ro" in SERVICES["gateway"]["volumes"]
    assert (ROOT / "config" / file).is_file()


def test_experiments_are_ready_to_be_started_and_nobody_is_in_one_before() -> None:
    ready = yaml.safe_load((ROOT / "config/experiments.yaml").read_text(encoding="utf-8"))["experiments"]
    assert len(ready) == 2
    assert {arm["share"] for experiment in ready for arm in experiment["arms"]} == {0}


@pytest.mark.parametrize("name", ["MAPPING_FILE"])
def test_a_file_of_the_gateway_is_mounted_read_only_where_its_setting_says(name: str) -> None:
    assert SERVICES["gateway"]["environment"][f"GATEWAY_{name}"] == f"${{{name}:+/input/${{{name}-}}}}"
    mounts = [mount for mount in SERVICES["gateway"]["volumes"] if isinstance(mount, dict) and name in mount["source"]]
    assert [(mount["type"], mount["read_only"]) for mount in mounts] == [("bind", True)]
    assert mounts[0]["source"] == f"${{{name}:-/dev/null}}"
    assert mounts[0]["target"].startswith(f"/input/${{{name}:-no-")


@pytest.mark.parametrize("name", ["trainer", "trainer-schedule", "trainer-spark", "recsys"])
def test_whoever_may_be_told_to_train_finds_the_shops_files(name: str) -> None:
    mounts = {mount["target"]: mount for mount in SERVICES[name]["volumes"] if isinstance(mount, dict)}
    for file in ("EVENTS", "MAPPING", "CATALOGUE"):
        mount = mounts[f"/input/${{{file}_FILE:-no-{file.lower()}}}"]
        assert (mount["source"], mount["read_only"]) == (f"${{{file}_FILE:-/dev/null}}", True)


def test_the_compose_file_holds_no_secret() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    secrets = re.findall(r"\w*(?:_KEY|PASSWORD|TOKEN|SECRET): *(\S*)", text)
    # of an object store's, and of the files of keys, not even a default
    assert [each for each in secrets if each] == ["${CURSOR_KEY:-}", "${UI_API_KEY:-}", "${RECSYS_API_KEY:-}"]


def test_no_address_of_metrics_is_reachable_from_outside() -> None:
    told = {name: service.get("environment", {}) for name, service in SERVICES.items()}
    ports = {
        name: value for name, each in told.items() for variable, value in each.items() if variable.endswith("S_PORT")
    }
    assert ports == dict.fromkeys(("event-sink", "candidate-gen", "reranker", "gateway", "ui"), 9090)
    for name in ports:
        assert not [port for port in SERVICES[name].get("ports", []) if port.endswith(":9090")], name


def test_an_image_of_others_is_told_not_to_run_as_root() -> None:
    assert {name: service["user"] for name, service in SERVICES.items() if "build" not in service} == {
        "valkey": "valkey",
        "prometheus": "nobody",
        "grafana": "472",
    }


def test_a_write_to_the_store_is_on_the_disk_before_it_is_answered() -> None:
    command = SERVICES["valkey"]["command"]
    options = dict(zip(command[::2], command[1::2], strict=True))
    assert (options["--appendonly"], options["--appendfsync"]) == ("yes", "always")


@pytest.mark.parametrize(
    ("volume", "writers", "readers"),
    [
        # `recsys`, which is run by hand, restores
        (
            "models:/artifacts",
            {"trainer", "trainer-schedule", "trainer-spark", "recsys"},
            {"candidate-gen", "reranker", "event-sink"},
        ),
        # the page makes a version live through candidate-gen, which can change none
        (
            "live:/artifacts/live",
            {"trainer", "trainer-schedule", "trainer-spark", "recsys", "candidate-gen"},
            {"reranker", "event-sink"},
        ),
        ("lake:/artifacts/lake", {"event-sink", "recsys"}, {"trainer", "trainer-schedule", "trainer-spark"}),
        ("spark-input:/input/demo", {"spark-data"}, {"spark-worker", "trainer-spark"}),
        ("features:/data", {"valkey"}, set()),
    ],
)
def test_a_volume_is_written_by_whom_it_belongs_to_and_read_by_few(
    volume: str, writers: set[str], readers: set[str]
) -> None:
    mounts = {name: service.get("volumes", []) for name, service in SERVICES.items()}
    assert {name for name, volumes in mounts.items() if volume in volumes} == writers
    assert {name for name, volumes in mounts.items() if f"{volume}:ro" in volumes} == readers
