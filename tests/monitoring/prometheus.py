"""A real Prometheus in a container beside the system, with the rules as they are deployed."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import yaml
from waiting import WITHIN_S, until

ROOT: Final = Path(__file__).resolve().parents[2]
MONITORING: Final = ROOT / "deploy/monitoring"
IMAGE: Final[str] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["prometheus"]["image"]


def rules(kind: str) -> list[dict[str, Any]]:
    """The rules of one file: recording or alerts."""
    groups = yaml.safe_load((MONITORING / f"rules/{kind}.yml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[tuple[str, str]]:
    """(dashboard and panel, query) of every panel that is no heading."""
    found = []
    for path in sorted((MONITORING / "grafana/dashboards").glob("*.json")):
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
            found += [(f"{path.stem}: {panel['title']}", one["expr"]) for one in panel.get("targets", [])]
    return found


def has_image() -> bool:
    """Whether there is an engine with the image: it cannot be pulled everywhere."""
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True, check=False).returncode == 0


def promtool(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Prometheus' own tool on files of a folder, which is its working directory."""
    command = [
        "docker",
        "run",
        "--rm",
        "--entrypoint",
        "promtool",
        "--volume",
        f"{folder}:/work:ro",
        "--workdir",
        "/work",
    ]
    return subprocess.run([*command, IMAGE, *arguments], capture_output=True, text=True, check=False)


@dataclass(frozen=True)
class Prometheus:
    """It answers."""

    client: httpx.Client

    def query(self, expression: str) -> list[dict[str, Any]]:
        """What it finds now."""
        answer = self.client.get("/api/v1/query", params={"query": expression}).json()
        assert answer["status"] == "success", (expression, answer)
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def firing(self) -> set[str]:
        """Names of the alerts that fire now."""
        alerts = self.client.get("/api/v1/alerts").json()["data"]["alerts"]
        return {one["labels"]["alertname"] for one in alerts if one["state"] == "firing"}


@contextmanager
def prometheus(folder: Path, *, port: int, pages: Mapping[str, int]) -> Iterator[Prometheus]:
    """Scrapes the pages each second. The rules are the deployed ones, but for how long an alert waits: one second."""
    shutil.copytree(MONITORING / "rules", folder / "rules")
    alerts = yaml.safe_load((folder / "rules/alerts.yml").read_text())
    for rule in alerts["groups"][0]["rules"]:
        rule["for"] = "1s"
    (folder / "rules/alerts.yml").write_text(yaml.safe_dump(alerts))
    config = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    assert {job["job_name"] for job in config["scrape_configs"]} == pages.keys()
    config["scrape_configs"] = [
        {"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{page}"]}]} for job, page in pages.items()
    ]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    shutil.copy(MONITORING / "alertmanagers.yml", folder)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755)  # the image's user is another one
    run = ["docker", "run", "--detach", "--rm", "--network", "host", "--volume", f"{folder}:/etc/prometheus:ro", IMAGE]
    run += ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]
    run += [f"--web.listen-address=127.0.0.1:{port}"]
    name = subprocess.run(run, capture_output=True, text=True, check=True).stdout.strip()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=WITHIN_S) as client:
            until(lambda: is_ready(client))
            yield Prometheus(client)
    finally:
        subprocess.run(["docker", "rm", "--force", "--volumes", name], capture_output=True, check=False)


def is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/-/ready").status_code == 200
    except httpx.TransportError:
        return False
