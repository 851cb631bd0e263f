"""The systems that `benchmarks.serving` compares, each as real processes on free loopback ports.

- `one_process`: the baseline, what a shop's engineer would glue together (`one_process_service`), one worker or two;
- `our_code_in_one_process`: our features without our processes;
- `this_system`: gateway, candidate_gen and reranker, one of each or more.
"""

import os
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.one_process_service import VOLUME
from benchmarks.serving_shops import Shop
from recsys.rpc.probe import probe
from tools.local_stack import PYTHON, ROOT, LocalStack, Ports

HOST: Final = "127.0.0.1"
_READY_WITHIN_S: Final = 120.0


@dataclass(frozen=True)
class Target:
    """A system under load."""

    name: str
    ports: tuple[int, ...]  # of REST
    pids: Mapping[str, int]  # by the process's name
    ready_s: float

    @property
    def url(self) -> str:
        """Of the first of its gateways."""
        return f"http://{HOST}:{self.ports[0]}"


@contextmanager
def one_process(shop: Shop, *, workers: int) -> Iterator[Target]:
    """The baseline under uvicorn. It needs the model only."""
    port = Ports.free().gateway
    command = [
        *("uvicorn", "--factory", "benchmarks.one_process_service:create_app", "--port", str(port)),
        *("--workers", str(workers), "--loop", "uvloop", "--http", "httptools"),
        *("--no-access-log", "--log-level", "warning"),
    ]
    with _Processes(shop) as processes:
        pid = processes.start("workers", command, os.environ | {VOLUME: str(shop.volume)}, ready=_rest(port))
        name = f"one process, {workers} worker{'s' if workers > 1 else ''}"
        yield Target(name, (port,), {"workers": pid}, processes.took_s())


@contextmanager
def our_code_in_one_process(shop: Shop) -> Iterator[Target]:
    """With the settings that the three processes would have."""
    ports = Ports.free()
    with _Processes(shop) as processes:
        stack = LocalStack(shop.volume, ports=ports, log_dir=processes.folder, environment=processes.settings)
        command = ["benchmarks.our_code_in_one_process"]
        pid = processes.start("all", command, stack.environment, ready=_rest(ports.gateway))
        yield Target("our code in one process", (ports.gateway,), {"all": pid}, processes.took_s())


@contextmanager
def this_system(shop: Shop, *, gateways: int = 1, services: int = 1) -> Iterator[Target]:
    """So many gateways, and so many of each service behind all of them."""
    ports, *further = (Ports.free() for _ in range(max(gateways, services)))
    with _Processes(shop) as processes:
        settings = processes.settings | {
            "GATEWAY_CANDIDATE_GEN_TARGET": address_of([each.candidate_gen for each in (ports, *further)][:services]),
            "GATEWAY_RERANKER_TARGET": address_of([each.reranker for each in (ports, *further)][:services]),
        }
        stack = LocalStack(shop.volume, ports=ports, log_dir=processes.folder, environment=settings)
        pids = {}
        for number, each in enumerate(further[: services - 1], start=2):
            for name, port in (("candidate_gen", each.candidate_gen), ("reranker", each.reranker)):
                its = stack.environment | {f"{name.upper()}_PORT": str(port)}
                pids[f"{name} {number}"] = processes.start(f"{name} {number}", [name], its, ready=_service(port))
        with stack:
            pids |= {name: process.pid for name, process in stack.processes.items()}
            for number, each in enumerate(further[: gateways - 1], start=2):
                its = stack.environment | {"GATEWAY_PORT": str(each.gateway)}
                ready = _rest(each.gateway)
                pids[f"gateway {number}"] = processes.start(f"gateway {number}", ["gateway"], its, ready=ready)
            name = "this system" if gateways == services == 1 else f"this system, {gateways} + {services} + {services}"
            fronts = (ports.gateway, *(each.gateway for each in further[: gateways - 1]))
            yield Target(name, fronts, dict(sorted(pids.items())), processes.took_s())


class _Processes:
    """Processes of one system, their logs, and its feature store: a folder that is gone in the end."""

    def __init__(self, shop: Shop) -> None:
        self._folder = tempfile.TemporaryDirectory(dir=shop.volume.parent, prefix="system-")
        self.folder = Path(self._folder.name)
        self.settings = shop.settings_in(self.folder)
        self._running: list[subprocess.Popen[bytes]] = []
        self._begun_s = time.monotonic()

    def __enter__(self) -> "_Processes":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running:
            process.terminate()
        for process in self._running:
            process.wait()
        self._folder.cleanup()

    def start(self, name: str, module: list[str], environment: Mapping[str, str], *, ready: Callable[[], bool]) -> int:
        """The id of a process that runs a module, with arguments, and is ready. Raises: RuntimeError, if it ends."""
        log = self.folder / f"{name}.log"
        with log.open("wb") as out:
            command = [str(PYTHON), "-m", *module]
            process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=out, stderr=out)
        self._running.append(process)
        until_s = time.monotonic() + _READY_WITHIN_S
        while not ready():
            if process.poll() is not None or time.monotonic() > until_s:
                raise RuntimeError(f"{name} did not become ready; the end of its log:\n{log.read_text()[-2000:]}")
            time.sleep(0.05)
        return process.pid

    def took_s(self) -> float:
        """Since the first of them was started."""
        return time.monotonic() - self._begun_s


def address_of(ports: list[int]) -> str:
    """Of all replicas of a service, for grpc."""
    return "ipv4:" + ",".join(f"{HOST}:{port}" for port in ports)


def _rest(port: int) -> Callable[[], bool]:
    def is_ready() -> bool:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/readyz", timeout=5):
                return True
        except OSError:
            return False

    return is_ready


def _service(port: int) -> Callable[[], bool]:
    return lambda: not probe(f"{HOST}:{port}")
