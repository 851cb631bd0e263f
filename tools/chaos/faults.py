"""What goes wrong, or is done, in the scenarios: each takes the system and yields, and is over at its block's end.

What is yielded is a remark for the table, mostly empty.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Concatenate, Final, ParamSpec

from tools.chaos.play import Fault
from tools.chaos.system import EngineError, System, docker, until

P = ParamSpec("P")

_SHELL_IMAGE: Final = "valkey/valkey:8.1-trixie"  # any image with a shell; this one is here anyway
_PERIOD_US: Final = 100_000
_TAKES_LOAD: Final = 20  # calls answered by a replica that is part of it
_LIVE_WITHIN_S: Final = 10.0


def _fault(happens: Callable[Concatenate[System, P], Iterator[str]]) -> Callable[P, Fault]:
    """What takes the other arguments, and gives what takes the system."""
    begin = contextmanager(happens)
    return lambda *args, **kw: lambda system: begin(system, *args, **kw)


@_fault
def nothing(_: System) -> Iterator[str]:
    """Only the load."""
    yield ""


@_fault
def killed(system: System, service: str) -> Iterator[str]:
    """The first container of a service gets SIGKILL, as when memory runs out; its restart policy brings it back."""
    # `docker kill` would not do: nothing is restarted after it
    pid = docker("inspect", "--format", "{{.State.Pid}}", system.containers(service)[0]).strip()
    isolated = ("run", "--rm", "--pid", "host", "--network", "none", "--user", "0")
    docker(*isolated, "--entrypoint", "sh", _SHELL_IMAGE, "-c", f"kill -9 {pid}")
    yield ""


@_fault
def _while(system: System, service: str, begin: Sequence[str], end: Sequence[str]) -> Iterator[str]:
    """What a command of docker does to the first container of a service, until another one undoes it."""
    container = system.containers(service)[0]
    docker(*begin, container)
    yield ""
    docker(*end, container)


def paused(service: str) -> Fault:
    """Every process in the first container stands still, as after SIGSTOP; connections stay open and silent."""
    return _while(service, ["pause"], ["unpause"])


def slowed(service: str, *, cores: float) -> Fault:
    """The first container of a service has a part of a core."""
    quota = ["--cpu-period", str(_PERIOD_US), "--cpu-quota", str(int(cores * _PERIOD_US))]
    return _while(service, ["update", *quota], ["update", "--cpu-quota", "-1"])


def stopped(service: str) -> Fault:
    """The first container of a service was asked to end, and has."""
    return _while(service, ["stop"], ["start"])


@_fault
def cut_off(system: System, service: str) -> Iterator[str]:
    """The first container of a service has no network: packets vanish, and nobody is told."""
    container = system.containers(service)[0]
    names = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}}\n{{end}}"
    [network] = docker("inspect", "--format", names, container).split()
    docker("network", "disconnect", network, container)
    yield ""
    docker("network", "connect", "--alias", service, network, container)  # compose finds it by the alias again


@_fault
def restarted(system: System, services: Sequence[str]) -> Iterator[str]:
    """All containers of these services, in this order; a gateway when the one before it answers."""
    for service in services:
        for container in system.containers(service):
            docker("restart", container)
            if service == "gateway":
                until(system.all_gateways_answer, "a gateway after its restart")
    yield ""


@_fault
def filled(system: System, folder: str) -> Iterator[str]:
    """The volume at this folder of the container `disk` has no byte left."""
    system.on_disk(f"cat /dev/zero > {folder}/filling 2>/dev/null; true")
    yield ""
    system.on_disk(f"rm {folder}/filling")


@_fault
def training_on_a_full_disk(system: System) -> Iterator[str]:
    """A training has nowhere to put its model. It must say so, and leave nothing that somebody takes for a model."""
    versions = system.on_disk("ls /artifacts/versions")
    with filled("/artifacts")(system):
        try:
            system.train_dearer()
        except EngineError as error:
            said = next((line for line in reversed(str(error).splitlines()) if line.startswith("error:")), "")
        else:
            raise EngineError("a training on a full disk said that it went well")
    if system.on_disk("ls /artifacts/versions") != versions:
        raise EngineError("a training on a full disk left a version")
    yield said or "the training failed"


@_fault
def bad_version(system: System) -> Iterator[str]:
    """A copy of the live version whose item vectors are cut short is named as the live one."""
    live = system.named_live()
    bad = f"{live}-bad"
    system.on_disk(
        f"cd /artifacts/versions && cp -r {live} {bad} && sed -i 's/{live}/{bad}/' {bad}/manifest.json"
        f" && truncate --size -64 {bad}/item_embeddings.npy"
    )
    system.name_live(bad)
    until(lambda: all(system.refused()), "the bad version refused", within_s=_LIVE_WITHIN_S)
    yield f"refused: {system.refused()[0]}"
    system.name_live(live)
    until(lambda: not any(system.refused()), "the good version live", within_s=_LIVE_WITHIN_S)
    system.on_disk(f"rm -r /artifacts/versions/{bad}")


@_fault
def activated(system: System, *, dearer: bool) -> Iterator[str]:
    """The other version goes live."""
    version = system.dearer if dearer else system.cheaper
    system.activate(version)
    taken_s = until(lambda: system.live_version() == version, f"{version} live", within_s=_LIVE_WITHIN_S)
    yield f"live {taken_s:.1f} s after `activate`"


@_fault
def added(system: System, service: str, *, replicas: int) -> Iterator[str]:
    """A service has so many replicas, which is more than before, and all take load."""
    system.scale(service, replicas)
    yield f"all {replicas} take load {until_all_take_load(system, service):.1f} s after they were started"


@_fault
def one_of(system: System, service: str, fault: Fault) -> Iterator[str]:
    """A fault of one replica, while all take load."""
    until_all_take_load(system, service)
    with fault(system) as remark:
        yield remark


@_fault
def removed(system: System, service: str, *, replicas: int) -> Iterator[str]:
    """A service has so many replicas, which is fewer than before."""
    system.scale(service, replicas)
    yield ""


def until_all_take_load(system: System, service: str) -> float:
    """Wait until each replica has answered calls since now; gives the seconds it took. Raises: EngineError."""
    before: dict[str, int] = {}

    def has_taken(container: str) -> bool:
        try:
            calls = system.calls(container)
        except EngineError:
            return False  # not up yet
        return calls >= before.setdefault(container, calls) + _TAKES_LOAD

    def have_all_taken() -> bool:
        taken = [has_taken(one) for one in containers]  # each is asked, so that each has its count from the beginning
        return all(taken)

    containers = system.containers(service)
    return until(have_all_taken, f"load on every replica of {service}")
