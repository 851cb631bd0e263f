"""What goes wrong, or is done, in the scenarios: each takes the system and yields, and is over at its block's end.

What is yielded is a remark for the table, mostly empty.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from tools.chaos import engine
from tools.chaos.engine import EngineError
from tools.chaos.play import Fault
from tools.chaos.system import System, until

_TAKES_LOAD: Final = 20  # calls answered by a replica that is part of it
_LIVE_WITHIN_S: Final = 10.0


def nothing(_: System) -> AbstractContextManager[str]:
    """Only the load."""
    return _over("")


def killed(service: str) -> Fault:
    """The first container of a service gets SIGKILL; its restart policy brings it back."""

    def fault(system: System) -> AbstractContextManager[str]:
        engine.kill_9(system.containers(service)[0])
        return _over("")

    return fault


def paused(service: str) -> Fault:
    """The first container of a service stands still."""
    return lambda system: _silently(engine.paused(system.containers(service)[0]))


def slowed(service: str, *, cores: float) -> Fault:
    """The first container of a service has a part of a core."""
    return lambda system: _silently(engine.slowed(system.containers(service)[0], cores=cores))


def cut_off(service: str) -> Fault:
    """The first container of a service has no network."""
    return lambda system: _silently(engine.cut_off(system.containers(service)[0], service=service))


def stopped(service: str) -> Fault:
    """The first container of a service was asked to end."""
    return lambda system: _silently(engine.stopped(system.containers(service)[0]))


def restarted(services: Sequence[str]) -> Fault:
    """All containers of these services, in this order; a gateway when the one before it answers."""

    def fault(system: System) -> AbstractContextManager[str]:
        for service in services:
            for container in system.containers(service):
                engine.restart(container)
                if service == "gateway":
                    until(system.all_gateways_answer, "a gateway after its restart")
        return _over("")

    return fault


def filled(folder: str) -> Fault:
    """The volume at this folder of the container `disk` has no byte left."""

    @contextmanager
    def fault(system: System) -> Iterator[str]:
        system.on_disk(f"cat /dev/zero > {folder}/filling 2>/dev/null; true")
        yield ""
        system.on_disk(f"rm {folder}/filling")

    return fault


@contextmanager
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


@contextmanager
def bad_version(system: System) -> Iterator[str]:
    """A copy of the live version whose item vectors are cut short is named as the live one."""
    live = system.named_live()
    bad = f"{live}-bad"
    system.on_disk(
        f"cd /artifacts/versions && cp -r {live} {bad} && sed -i 's/{live}/{bad}/' {bad}/manifest.json"
        f" && truncate --size -64 {bad}/item_embeddings.npy"
    )
    _name_live(system, bad)
    until(lambda: all(system.refused()), "the bad version refused", within_s=_LIVE_WITHIN_S)
    yield f"refused: {system.refused()[0]}"
    _name_live(system, live)
    until(lambda: not any(system.refused()), "the good version live", within_s=_LIVE_WITHIN_S)
    system.on_disk(f"rm -r /artifacts/versions/{bad}")


def activated(*, dearer: bool) -> Fault:
    """The other version goes live."""

    def fault(system: System) -> AbstractContextManager[str]:
        version = system.dearer if dearer else system.cheaper
        system.activate(version)
        taken_s = until(lambda: system.live_version() == version, f"{version} live", within_s=_LIVE_WITHIN_S)
        return _over(f"live {taken_s:.1f} s after `activate`")

    return fault


def added(service: str, *, replicas: int) -> Fault:
    """A service has so many replicas, which is more than before, and all take load."""

    def fault(system: System) -> AbstractContextManager[str]:
        system.scale(service, replicas)
        taken_s = until_all_take_load(system, service)
        return _over(f"all {replicas} take load {taken_s:.1f} s after they were started")

    return fault


def one_of(service: str, fault: Fault) -> Fault:
    """A fault of one replica, while all take load."""

    def begin(system: System) -> AbstractContextManager[str]:
        until_all_take_load(system, service)
        return fault(system)

    return begin


def removed(service: str, *, replicas: int) -> Fault:
    """A service has so many replicas, which is fewer than before."""

    def fault(system: System) -> AbstractContextManager[str]:
        system.scale(service, replicas)
        return _over("")

    return fault


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
        taken = [has_taken(one) for one in containers]
        return all(taken)

    containers = system.containers(service)
    return until(have_all_taken, f"load on every replica of {service}")


def _name_live(system: System, version: str) -> None:
    system.on_disk(f"printf %s {version} > /artifacts/CURRENT.new && mv /artifacts/CURRENT.new /artifacts/CURRENT")


@contextmanager
def _over(remark: str) -> Iterator[str]:
    """It is done; there is nothing to mend."""
    yield remark


@contextmanager
def _silently(fault: AbstractContextManager[None]) -> Iterator[str]:
    with fault:
        yield ""
