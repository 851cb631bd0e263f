"""The whole system as local processes, without Docker, for `tools.demo`, tests and benchmarks.

In: a model volume, ports, and the settings that the processes read from the environment anyway. Out: a system whose
gateway and page answer, until `close`; or one message that says which process died and its last lines.

Own code rather than honcho: that starts and stops processes, but knows neither readiness nor free ports, and cannot be
used as a context manager. Only the standard library, so that any environment can import this.
"""

import os
import random
import re
import secrets
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass, fields
from itertools import islice
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / ".venv/bin/python"
UI_PYTHON = ROOT / ".venv-ui/bin/python"
CURSOR_KEY = "cursor.key"  # on the volume: cursors hold over a restart
READY_WITHIN_S = 300
_MAY_MOVE = ("candidate_gen", "reranker", "gateway_grpc")  # ports that few people type
STOPPED_WITHIN_S = 15
# In no order, so that two processes rarely choose the same; and below those that a system gives to whoever calls, one
# of which may be taken between choosing and listening.
_UNUSED = iter(random.sample(range(20_000, 32_000), 12_000))


class StackError(Exception):
    """The system cannot start or has lost a process; the message is for people."""


@dataclass(frozen=True)
class Ports:
    """One loopback port a process; each can be set as NAME_PORT in the environment."""

    candidate_gen: int = 50051
    reranker: int = 50052
    gateway: int = 8000
    ui: int = 8501
    gateway_grpc: int = 50050

    @classmethod
    def from_environment(cls) -> "Ports":
        """The defaults, or what CANDIDATE_GEN_PORT and the like say. Raises StackError.

        Few people type a port of gRPC: in place of a default that is in use it is a free one.
        """
        free = cls.free()
        given = {field.name: _port(f"{field.name.upper()}_PORT", str(field.default)) for field in fields(cls)}
        moved = {
            name: getattr(free, name)
            for name in _MAY_MOVE
            if not os.environ.get(f"{name.upper()}_PORT") and not _is_free(given[name])
        }
        return cls(**given | moved)

    @classmethod
    def free(cls) -> "Ports":
        """Ports that nothing listened on a moment ago, and that no other call in this process was given."""
        return cls(*islice(filter(_is_free, _UNUSED), len(fields(cls))))

    def check(self) -> None:
        """Raises StackError naming the first port in use, or given twice, and the variable that moves it."""
        given: dict[int, str] = {}
        for name, port in _port_settings(self).items():
            if port in given:
                raise StackError(f"{given[port]} and {name} are both {port}; choose another for one")
            given[port] = name
            if not _is_free(port):
                raise StackError(f"port {port} is in use; choose another: make demo {name}={port + 10}")


class LocalStack:
    """candidate_gen, reranker, gateway and, if asked for, the page, on loopback. Use as a context manager.

    `jobs` are further processes, once the gateway is ready: a module and its arguments (`{"event_sink": []}`).
    `environment` adds settings of the processes (`{"GATEWAY_CANDIDATES": "100"}`); the attribute is all that they get.
    The feature store is a file on the volume, and so is the gateway's GATEWAY_CURSOR_KEY where none is set. Each
    process logs to a file in `log_dir`.
    """

    def __init__(
        self,
        artifact_dir: Path,
        *,
        ports: Ports,
        with_ui: bool = False,
        jobs: dict[str, list[str]] | None = None,
        log_dir: Path,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.ports = ports
        self.gateway_url = f"http://127.0.0.1:{ports.gateway}"
        self.ui_url = f"http://127.0.0.1:{ports.ui}"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._artifact_dir = artifact_dir
        self._with_ui = with_ui
        self._jobs = jobs or {}
        self._log_dir = log_dir
        self.environment = os.environ | {"PYTHONUNBUFFERED": "1"} | _settings(artifact_dir, ports) | (environment or {})

    def __enter__(self) -> "LocalStack":
        self.ports.check()
        self._log_dir.mkdir(parents=True, exist_ok=True)
        if not self.environment.get("GATEWAY_CURSOR_KEY"):
            self.environment["GATEWAY_CURSOR_KEY"] = kept_key(self._artifact_dir / CURSOR_KEY)
        try:
            for name in ("candidate_gen", "reranker", "gateway"):
                self._start(name, PYTHON)
            self._wait(f"{self.gateway_url}/readyz")
            for name, arguments in self._jobs.items():
                self._start(name, PYTHON, *arguments)
            if self._with_ui:
                self._start("ui", UI_PYTHON)
                self._wait(f"{self.ui_url}/_stcore/health")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def watch(self) -> None:
        """Returns never. Raises StackError as soon as one process has ended."""
        while True:
            self._check_alive()
            time.sleep(0.5)

    def close(self) -> None:
        """Ends every process, the front first: politely, then by force."""
        for process in reversed(self.processes.values()):
            process.terminate()
            try:
                process.wait(STOPPED_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()

    def _start(self, name: str, python: Path, *arguments: str) -> None:
        with (self._log_dir / f"{name}.log").open("wb") as log:
            # Its own session: a Ctrl-C reaches this process only, which then stops the others in order.
            self.processes[name] = subprocess.Popen(
                [python, "-m", name, *arguments],
                env=self.environment,
                stdout=log,
                stderr=log,
                cwd=ROOT,
                start_new_session=True,
            )

    def _wait(self, url: str) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while not _answers(url):
            self._check_alive()
            if time.monotonic() > deadline:
                problems = [f"{name}: {_last_problem(self._log_dir / f'{name}.log')}" for name in self.processes]
                raise StackError(
                    f"{url} did not become ready within {READY_WITHIN_S} s; the logs are in {self._log_dir}\n"
                    + "\n".join(problems)
                )
            time.sleep(0.1)

    def _check_alive(self) -> None:
        for name, process in self.processes.items():
            if process.poll() is not None:
                log = self._log_dir / f"{name}.log"
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
                raise StackError(f"{name} ended with status {process.returncode}; the last lines of {log}:\n{tail}")


def kept_key(path: Path) -> str:
    """The key of a file, which is made at random where there is none yet; nobody else may read it."""
    try:
        if key := path.read_text():
            return key
    except FileNotFoundError:
        path.touch(mode=0o600)
    key = secrets.token_hex(32)
    path.write_text(key)
    return key


def _is_free(port: int) -> bool:
    """Whether something could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _port(variable: str, default: str) -> int:
    text = os.environ.get(variable) or default
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and 0 < int(text) < 65_536):
        raise StackError(f"{variable}: expected a port from 1 to 65535, found {text!r}")
    return int(text)


def _port_settings(ports: Ports) -> dict[str, int]:
    return {f"{name.upper()}_PORT": port for name, port in asdict(ports).items()}


def _last_problem(log: Path) -> str:
    """The last line of a log that tells of an error or a warning, else the last one."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    wrong = [line for line in lines if re.search(r"\b(error|warning|critical)\b", line, re.IGNORECASE)]
    return (wrong or lines or ["nothing in its log"])[-1]


def _settings(artifact_dir: Path, ports: Ports) -> dict[str, str]:
    volume = {
        f"{name}_ARTIFACT_DIR": str(artifact_dir) for name in ("CANDIDATE_GEN", "RERANKER", "EVENT_SINK", "TRAINER")
    }
    url = f"sqlite://{quote(str(artifact_dir.resolve()))}/features.db"
    store = {f"{name}_FEATURE_STORE_URL": url for name in ("CANDIDATE_GEN", "RERANKER", "GATEWAY", "EVENT_SINK")}
    return {
        **volume,
        **store,
        **{name: str(port) for name, port in _port_settings(ports).items()},
        "GATEWAY_OPEN_ON": "127.0.0.1",  # unless GATEWAY_API_KEYS_FILE is in the environment
        "GATEWAY_CANDIDATE_GEN_TARGET": f"127.0.0.1:{ports.candidate_gen}",
        "GATEWAY_RERANKER_TARGET": f"127.0.0.1:{ports.reranker}",
        "UI_GATEWAY_URL": f"http://127.0.0.1:{ports.gateway}",
    }


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
