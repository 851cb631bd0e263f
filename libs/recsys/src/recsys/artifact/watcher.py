"""Follows `CURRENT` on the volume: makes a new version ready beside the one being served, then swaps one reference.

A version is ready when its files are checked, the service has built from it what it answers with, and that has answered
a few requests. The version before stays, and so do those that requests still ask for by name, and those that
`trainer hold` names. A version that cannot be made ready is refused, with the reason kept for people to see, and the
one being served stays.
"""

import gc
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Generic, TypeVar

from recsys.artifact import layout
from recsys.artifact.reader import Artifact, open_artifact
from recsys.background import Failures, keep_turning
from recsys.errors import ArtifactError, ModelNotLoadedError, VersionNotHeldError
from recsys.observability.metrics import ArtifactMetrics

_log = logging.getLogger(__name__)

_ASKED_FOR_S: Final = 10.0  # so long after a request named it, a version stays

Model = TypeVar("Model")


@dataclass(frozen=True)
class _Held(Generic[Model]):
    """What is in memory. Replaced as a whole, never changed, so that readers need no lock."""

    models: Mapping[str, Model] = field(default_factory=dict)
    current: str = ""  # none yet
    previous: str = ""


@dataclass(frozen=True)
class _Due:
    """A version that is ready and will be the current one."""

    version: str
    at_s: float


class Watcher(Generic[Model]):
    """Holds what a service made of the current version, of the one before it, and of others that are still needed."""

    def __init__(
        self,
        volume: Path,
        *,
        load: Callable[[Artifact], Model],
        warm: Callable[[Model], None] = lambda _: None,
        poll_interval_s: float,
        take_after_s: float = 0.0,
        metrics: ArtifactMetrics,
        on_loaded: Callable[[], None] = lambda: None,
    ) -> None:
        """Nothing is read yet.

        Args:
            load: turns an open artifact into what the service answers with.
            warm: lets that answer a few requests.
            take_after_s: so long after it is ready, a new version becomes the current one; it is held meanwhile.
            on_loaded: is called after each swap.
        """
        self._volume = volume
        self._load = load
        self._warm = warm
        self._poll_interval_s = poll_interval_s
        self._take_after_s = take_after_s
        self._metrics = metrics
        self._on_loaded = on_loaded
        self._held: _Held[Model] = _Held()
        self._due: _Due | None = None
        self._pinned: set[str] = set()  # named in `HELD`
        self._pins_unread = ""  # why `HELD` cannot be read now, which was told
        self._asked_s: dict[str, float] = {}  # when a version that is not the current one was last asked for
        self._last_tried: tuple[str, int] | None = None
        self._cannot_be_pinned: set[str] = set()  # tried once, and told of
        self._failures = Failures("artifact")
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="artifact-watcher", daemon=True)
        self.refused = ""

    def start(self) -> None:
        """Look once, now, and from then on in the background."""
        self._failures.attempt(self._look)
        self._thread.start()

    def stop(self) -> None:
        """Stop looking; what is held stays."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()

    def current(self) -> Model:
        """What the live version became. Raises: ModelNotLoadedError."""
        return self.get("")

    def get(self, version: str) -> Model:
        """What a version became; the empty name is the current one.

        Raises: ModelNotLoadedError, VersionNotHeldError.
        """
        held = self._held
        if not held.current:
            raise ModelNotLoadedError(self.refused or f"no version has been published in {self._volume} yet")
        if not version or version == held.current:
            return held.models[held.current]
        model = held.models.get(version)
        if model is None:
            raise VersionNotHeldError(version, held=self.held())
        self._asked_s[version] = time.monotonic()
        return model

    def held(self) -> list[str]:
        """Versions that can answer, the current one first."""
        held = self._held
        first = [version for version in (held.current, held.previous) if version]
        return list(dict.fromkeys([*first, *held.models]))

    def poll(self) -> None:
        """Look at `CURRENT` and `HELD` once, take the versions that they name, and let go of what nobody needs."""
        self._follow_current()
        if self._held.current:
            self._follow_pins()
            self._let_go()

    def _follow_current(self) -> None:
        try:
            named = layout.current_version(self._volume)
            if named is None:
                return
            # also the time, so that activating a refused version again tries it again
            attempt = (named, (self._volume / layout.CURRENT).stat().st_mtime_ns)
        except OSError as error:
            self._last_tried = None  # what ails the volume may pass: look again
            self._refuse(f"{self._volume / layout.CURRENT}: cannot be read: {error.strerror}")
            return
        if attempt != self._last_tried:
            self._last_tried = attempt
            self._due = self._made_due(named)
        if self._due is not None and time.monotonic() >= self._due.at_s:
            self._take(self._due.version)
            self._due = None

    def _made_due(self, version: str) -> _Due | None:
        try:
            self._hold(version)
        except (ArtifactError, OSError) as error:
            if isinstance(error, OSError):  # not the version's fault: too many open files, no volume
                self._last_tried = None
            self._refuse(str(error))
            return None
        self._tell_refused("")
        wait_s = self._take_after_s if self._held.current not in ("", version) else 0.0
        return _Due(version, time.monotonic() + wait_s)

    def _take(self, version: str) -> None:
        held = self._held
        if version != held.current:
            self._held = _Held(held.models, current=version, previous=held.current)
        self._metrics.holds(self.held())
        self._on_loaded()
        _log.info("artifact version taken", extra={"artifact_version": version})

    def _hold(self, version: str) -> None:
        """Make a version ready, unless it is. Raises: ArtifactError, OSError."""
        if version in self._held.models:
            return
        took_s: dict[str, float] = {}
        with self._timed("open", took_s):
            throttled = bool(self._held.current)
            artifact = open_artifact(layout.version_dir(self._volume, version), throttled=throttled)
        with self._timed("build", took_s):
            model = self._load(artifact)
        with self._timed("warm", took_s):
            self._warm(model)
        _log.info("artifact version ready", extra={"artifact_version": version, **took_s})
        held = self._held
        self._held = _Held({**held.models, version: model}, current=held.current, previous=held.previous)

    @contextmanager
    def _timed(self, step: str, took_s: dict[str, float]) -> Iterator[None]:
        started_s = time.monotonic()
        yield
        seconds = time.monotonic() - started_s
        took_s[f"{step}_s"] = round(seconds, 3)
        self._metrics.took(step, seconds)

    def _follow_pins(self) -> None:
        try:
            self._pinned = set(layout.held_versions(self._volume))
        except OSError as error:
            if str(error) != self._pins_unread:
                _log.warning("the versions to hold cannot be read", extra={"reason": str(error)})
            self._pins_unread = str(error)
            return
        self._pins_unread = ""
        self._cannot_be_pinned &= self._pinned  # named anew, it is tried anew
        for version in sorted(self._pinned - self._held.models.keys() - self._cannot_be_pinned):
            try:
                self._hold(version)
            except (ArtifactError, OSError) as error:
                self._cannot_be_pinned.add(version)
                _log.error("version to hold refused", extra={"artifact_version": version, "reason": str(error)})
            else:
                _log.info("version held", extra={"artifact_version": version})

    def _let_go(self) -> None:
        held, now_s = self._held, time.monotonic()
        # the other service may refuse what this one took, and then asks for the version before for ever
        needed = {version for version, asked_s in self._asked_s.copy().items() if now_s - asked_s < _ASKED_FOR_S}
        needed |= {held.current, held.previous, *self._pinned}
        if self._due is not None:
            needed.add(self._due.version)
        if gone := held.models.keys() - needed:
            models = {version: model for version, model in held.models.items() if version in needed}
            self._held = _Held(models, current=held.current, previous=held.previous)
            for version in gone:
                self._asked_s.pop(version, None)
            del held
            gc.collect()  # a model may hold itself, and its files stay mapped until then
        self._metrics.holds(self.held())

    def _refuse(self, reason: str) -> None:
        if reason != self.refused:
            _log.error("artifact version refused", extra={"reason": reason, "held": self.held()})
        self._tell_refused(reason)

    def _tell_refused(self, reason: str) -> None:
        if reason != self.refused:
            self._metrics.refused(reason)
        self.refused = reason

    def _run(self) -> None:
        keep_turning(self._look, failures=self._failures, every_s=self._poll_interval_s, stop=self._stopped)

    def _look(self) -> None:
        try:
            self.poll()
        except Exception:  # a fault in loading must not end the watch: the next version may be a good one
            self._tell_refused("internal error while loading; see the log")
            raise
