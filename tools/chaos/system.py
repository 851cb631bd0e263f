"""The compose project of the harness: its own name, ports, data and volumes; gone without a trace afterwards."""

import os
import re
import subprocess
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import httpx

from tools.chaos import shop
from tools.chaos.shop import Question

ROOT: Final = Path(__file__).resolve().parents[2]
_FILES: Final = ("docker-compose.yml", "tools/chaos/compose.yml")
_SERVING: Final = ("valkey", "candidate-gen", "reranker", "gateway")
_EVENTS_AT_ONCE: Final = 1_000
_WITHIN_S: Final = 60.0
_CALLS: Final = """
import urllib.request
page = urllib.request.urlopen("http://127.0.0.1:9464/metrics", timeout=5).read().decode()
counts = [line.split() for line in page.splitlines() if line.startswith("recsys_rpc_latency_seconds_count")]
print(int(sum(float(value) for name, value in counts if "/recsys.v1." in name and "Lane" not in name)))
"""


class EngineError(Exception):
    """A command of docker failed, or what it should bring about did not come; the message is for people."""


def docker(*words: str, environment: dict[str, str] | None = None) -> str:
    """Run `docker …` and give what it printed. Raises: EngineError."""
    done = subprocess.run(["docker", *words], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EngineError(f"docker {' '.join(words)}: {done.stderr.strip()[-2000:]}")
    return done.stdout


class System:
    """Use as a context manager: built, started, with two versions of the model on its volume, the first of them live.

    `shop` is what it sells, `dearer` the version of the dearer catalogue, `cheaper` the one that is live.
    """

    def __init__(self, folder: Path, *, gateways: int) -> None:
        folder.chmod(0o755)  # the trainer is another user
        self.project = f"recsys-chaos-{uuid.uuid4().hex[:8]}"
        self.shop = shop.write(folder)
        self.cheaper = self.dearer = ""
        self._gateways = gateways
        self._environment = os.environ | {
            "COMPOSE_PROJECT_NAME": self.project,
            "CHAOS_FOLDER": str(folder),
            "GATEWAY_PORT": "0",
            "GATEWAY_GRPC_PORT": "0",
            "BIND_ADDRESS": "127.0.0.1",
            "API_KEYS_FOLDER": "",
            "RATE_LIMIT": "",
        }

    def __enter__(self) -> "System":
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Containers, network and volumes are removed."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "5")

    def compose(self, *words: str) -> str:
        """Run `docker compose …` on the project. Raises: EngineError."""
        files = [word for file in _FILES for word in ("--file", str(ROOT / file))]
        return docker("compose", "--env-file", os.devnull, *files, *words, environment=self._environment)

    def scale(self, service: str, replicas: int) -> None:
        """Have so many replicas of a service; returns when docker has started or stopped them."""
        self.compose("up", "--detach", "--no-deps", "--no-recreate", "--scale", f"{service}={replicas}", service)

    def containers(self, service: str) -> list[str]:
        """The running containers of a service, the one that was made first first."""
        return [name for name, _ in self._running(service)]

    def gateways(self) -> list[str]:
        """Base URLs of the gateways that run. A gateway that is started again has another port."""
        published = (re.search(r"127\.0\.0\.1:(\d+)->8000/tcp", ports) for _, ports in self._running("gateway"))
        return [f"http://127.0.0.1:{match[1]}" for match in published if match]

    def calls(self, container: str) -> int:
        """How many calls a replica of candidate-gen or the reranker has answered since it was started."""
        return int(docker("exec", container, "python", "-c", _CALLS))

    def on_disk(self, script: str) -> str:
        """A shell's output, where /artifacts and /features are the volumes of the models and the store."""
        return self.compose("exec", "--no-TTY", "disk", "sh", "-c", script)

    def activate(self, version: str) -> None:
        """Make a version live, as an operator does."""
        self.compose("run", "--rm", "--no-deps", "trainer", "activate", version)

    def train_dearer(self) -> None:
        """Train on the dearer catalogue and put the result live. Raises: EngineError."""
        files = ("--events", f"/chaos/{shop.EVENTS}", "--catalogue", f"/chaos/{shop.DEARER_CATALOGUE}")
        recipe = ("--recipe", f"/chaos/{shop.RECIPE}")
        self.compose("run", "--rm", "--no-deps", "trainer", "train", "--force", *recipe, *files)

    def named_live(self) -> str:
        """The version that the volume names as the live one."""
        return self.on_disk("cat /artifacts/CURRENT").strip()

    def name_live(self, version: str) -> None:
        """Make the volume name a version as the live one, unchecked."""
        self.on_disk(f"cd /artifacts/live && printf %s {version} > CURRENT.new && mv -f CURRENT.new CURRENT")

    def live_version(self) -> str:
        """The version that the services answer with."""
        return str(self._get("/v1/model")["artifact_version"])

    def refused(self) -> list[str]:
        """Of each service, why the newest version was not taken; empty: it was."""
        return [service["refused"] or "" for service in self._get("/v1/model")["services"].values()]

    def all_gateways_answer(self) -> bool:
        """Whether every gateway that should run takes requests."""
        gateways = self.gateways()
        return len(gateways) == self._gateways and all(map(_answers, gateways))

    def count_lost(self, acknowledged: Sequence[Question]) -> int:
        """How many of these events the store does not know: sent again, they are no duplicates."""
        lost = 0
        for start in range(0, len(acknowledged), _EVENTS_AT_ONCE):
            events = [one.body for one in acknowledged[start : start + _EVENTS_AT_ONCE]]
            lost += len(events) - int(self._post("/v1/events", {"events": events})["duplicates"])
        return lost

    def _start(self) -> None:
        scale = ("--scale", f"gateway={self._gateways}")
        self.compose("up", "--build", "--detach", "--wait", *scale, "disk", *_SERVING)
        self.cheaper = self.named_live()
        self.train_dearer()
        self.dearer = self.named_live()
        self.activate(self.cheaper)
        self._take_off_sale()
        until(lambda: self.live_version() == self.cheaper, "the first version live")

    def _take_off_sale(self) -> None:
        changes = [{"item_id": each, "op": "patch", "available": False} for each in sorted(self.shop.off_sale)]
        self._post("/v1/items/bulk", {"changes": changes})
        gateways = self.gateways()
        until(lambda: not any(self.shop.off_sale & _popular(one) for one in gateways), "items off sale gone")

    def _get(self, path: str) -> Any:
        """JSON of a gateway's answer."""
        return httpx.get(self.gateways()[0] + path).raise_for_status().json()

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        """JSON of a gateway's answer to JSON."""
        return httpx.post(self.gateways()[0] + path, json=body, timeout=10).raise_for_status().json()

    def _running(self, service: str) -> list[tuple[str, str]]:
        """Name and published ports of each running container of a service."""
        of = (f"label=com.docker.compose.project={self.project}", f"label=com.docker.compose.service={service}")
        filters = [word for each in (*of, "label=com.docker.compose.oneoff=False") for word in ("--filter", each)]
        lines = docker("ps", *filters, "--format", "{{.Names}}\t{{.Ports}}").splitlines()
        return sorted((name, ports) for name, _, ports in (line.partition("\t") for line in lines))


def until(holds: Callable[[], bool], what: str, *, within_s: float = _WITHIN_S) -> float:
    """Wait until something holds; gives the seconds it took. Raises: EngineError (it does not within the time)."""
    started_s = time.monotonic()
    while not holds():
        if time.monotonic() > started_s + within_s:
            raise EngineError(f"not {what} after {within_s:.0f} s")
        time.sleep(0.2)
    return time.monotonic() - started_s


def _popular(gateway: str) -> set[str]:
    answer = httpx.get(f"{gateway}/v1/items/popular").raise_for_status().json()
    return {item["item_id"] for item in answer["items"]}


def _answers(gateway: str) -> bool:
    try:
        return httpx.get(f"{gateway}/healthz", timeout=2).is_success
    except httpx.TransportError:
        return False
