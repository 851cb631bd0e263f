"""The words of `docker` that break and mend containers. What has an end is a context manager: it is mended there."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_SHELL_IMAGE: Final = "valkey/valkey:8.1-trixie"  # any image with a shell; this one is here anyway
_PERIOD_US: Final = 100_000


class EngineError(Exception):
    """A command of docker failed, or what it should bring about did not come; the message is for people."""


def docker(*words: str, environment: dict[str, str] | None = None) -> str:
    """Run `docker …` and give what it printed. Raises: EngineError."""
    done = subprocess.run(["docker", *words], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EngineError(f"docker {' '.join(words)}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def kill_9(container: str) -> None:
    """SIGKILL from outside, as when memory runs out. `docker kill` would not do: nothing is restarted after it."""
    pid = docker("inspect", "--format", "{{.State.Pid}}", container).strip()
    isolated = ("run", "--rm", "--pid", "host", "--network", "none", "--user", "0")
    docker(*isolated, "--entrypoint", "sh", _SHELL_IMAGE, "-c", f"kill -9 {pid}")


def restart(container: str) -> None:
    """Ask it to end (SIGTERM), and start it when it has."""
    docker("restart", container)


@contextmanager
def stopped(container: str) -> Iterator[None]:
    """It was asked to end, and has."""
    docker("stop", container)
    yield
    docker("start", container)


@contextmanager
def paused(container: str) -> Iterator[None]:
    """Every process in it stands still, as after SIGSTOP; its connections stay open and silent."""
    docker("pause", container)
    yield
    docker("unpause", container)


@contextmanager
def slowed(container: str, *, cores: float) -> Iterator[None]:
    """It has this part of a processor core."""
    docker("update", "--cpu-period", str(_PERIOD_US), "--cpu-quota", str(int(cores * _PERIOD_US)), container)
    yield
    docker("update", "--cpu-quota", "-1", container)


@contextmanager
def cut_off(container: str, *, service: str) -> Iterator[None]:
    """It has no network: packets vanish, and nobody is told. Compose finds it by its service's name again."""
    [network] = docker(
        "inspect", "--format", "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}}\n{{end}}", container
    ).split()
    docker("network", "disconnect", network, container)
    yield
    docker("network", "connect", "--alias", service, network, container)
