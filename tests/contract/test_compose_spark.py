"""Profile `spark` of the compose file: a master and two workers make the first version, which the same services serve.

The whole of it, which takes minutes, is a command of docs/scale.md.
"""

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
MASTER = "spark://spark-master:7077"


def test_two_workers_and_the_trainer_know_the_master() -> None:
    assert {name for name, service in SERVICES.items() if "spark" in service.get("profiles", [])} == {
        "spark-data",
        "spark-master",
        "spark-worker",
        "trainer-spark",
    }
    assert SERVICES["spark-master"]["entrypoint"][-4:] == ["--host", "spark-master", "--port", "7077"]
    assert SERVICES["spark-worker"]["entrypoint"][-1] == MASTER
    assert SERVICES["spark-worker"]["deploy"]["replicas"] == 2
    assert f"--engine spark --master {MASTER} " in SERVICES["trainer-spark"]["command"]


def test_workers_read_the_events_by_the_paths_that_the_command_names() -> None:
    def mounted(service: str) -> set[str]:
        return {mount["target"] if isinstance(mount, dict) else mount for mount in SERVICES[service]["volumes"]}

    events = {"spark-input:/input/demo:ro", "/input/${EVENTS_FILE:-no-events}"}
    assert events <= mounted("spark-worker")
    assert events <= mounted("trainer-spark")
    assert "spark-input:/input/demo" in mounted("spark-data")


def test_the_local_trainer_finds_the_version_that_spark_made() -> None:
    waits_for = SERVICES["trainer"]["depends_on"]["trainer-spark"]
    assert waits_for == {"condition": "service_completed_successfully", "required": False}
    assert SERVICES["trainer-spark"]["environment"]["TRAINER_ARTIFACT_DIR"] == "/artifacts"
    assert "models:/artifacts" in SERVICES["trainer-spark"]["volumes"]
    assert {"train", "--if-empty"} <= set(SERVICES["trainer"]["command"].split())
    assert {"train", "--if-empty"} <= set(SERVICES["trainer-spark"]["command"].split())
