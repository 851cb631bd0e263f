"""Follows `CURRENT` on the volume: loads a new version beside the one being served, then swaps one reference.

The version before stays for requests that are pinned to it, and so do those that `trainer hold` names, for experiments.
A version that cannot be loaded is refused, with the reason kept for people to see, and the one being served stays.
"""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from recsys.artifact import layout
from recsys.artifact.reader import Artifact, open_artifact
from recsys.errors import ArtifactError, ModelNotLoadedError, VersionNotHeldError

_log = logging.getLogger(__name__)

Model = TypeVar("Model")


class Watcher(Generic[Model]):
    """Holds what a service made of the current version, of the one before it, and of those named in `HELD`."""

    def __init__(
        self,
        volume: Path,
        *,
        load: Callable[[Artifact], Model],
        poll_interval_s: float,
        on_loaded: Callable[[], None] = lambda: None,
    ) -> None:
        """`load` turns an open artifact into what the service answers with; `on_loaded` is called after each swap."""
        self._volume = volume
        self._load = load
        self._poll_interval_s = poll_interval_s
        self._on_loaded = on_loaded
        self._held: dict[str, Model] = {}  # newest last; replaced, never changed, so that readers need no lock
        self._pinned: dict[str, Model] = {}  # the same; those of `HELD` that are not held anyway
        self._last_tried: tuple[str, int] | None = None
        self._cannot_be_pinned: set[str] = set()  # tried once, and told of
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="artifact-watcher", daemon=True)
        self.refused = ""

    def start(self) -> None:
        """Look once, now, and from then on in the background."""
        self.poll()
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
        if not held:
            raise ModelNotLoadedError(self.refused or f"no version has been published in {self._volume} yet")
        if not version:
            return next(reversed(held.values()))
        model = held.get(version) or self._pinned.get(version)
        if model is None:
            raise VersionNotHeldError(version, held=self.held())
        return model

    def held(self) -> list[str]:
        """Versions that can answer, the current one first."""
        return list(dict.fromkeys([*reversed(self._held), *self._pinned]))

    def poll(self) -> None:
        """Look at `CURRENT` and `HELD` once, and take the versions that they name and that are new."""
        self._take_current()
        if self._held:
            self._pin()

    def _take_current(self) -> None:
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
            self._take(named)

    def _take(self, version: str) -> None:
        held = dict(self._held)
        if version in held or version in self._pinned:
            model = held.pop(version, None) or self._pinned[version]  # back to one that is still in memory
        else:
            try:
                model = self._load(open_artifact(layout.version_dir(self._volume, version)))
            except ArtifactError as error:
                self._refuse(str(error))
                return
            except OSError as error:  # not the version's fault: too many open files, a volume that went away
                self._last_tried = None
                self._refuse(str(error))
                return
        previous = list(held.items())[-1:]
        self._held = dict([*previous, (version, model)])
        self.refused = ""
        _log.info("artifact version taken", extra={"artifact_version": version})
        self._on_loaded()

    def _pin(self) -> None:
        try:
            named = layout.held_versions(self._volume)
        except OSError as error:
            _log.warning("the versions to hold cannot be read", extra={"reason": str(error)})
            return
        self._cannot_be_pinned &= set(named)  # named anew, it is tried anew
        pinned: dict[str, Model] = {}
        for version in named:
            model = self._held.get(version) or self._pinned.get(version) or self._load_pinned(version)
            if model is not None:
                pinned[version] = model
        self._pinned = pinned

    def _load_pinned(self, version: str) -> Model | None:
        if version in self._cannot_be_pinned:
            return None
        try:
            model = self._load(open_artifact(layout.version_dir(self._volume, version)))
        except (ArtifactError, OSError) as error:
            self._cannot_be_pinned.add(version)
            _log.error("version to hold refused", extra={"artifact_version": version, "reason": str(error)})
            return None
        _log.info("version held", extra={"artifact_version": version})
        return model

    def _refuse(self, reason: str) -> None:
        if reason != self.refused:
            _log.error("artifact version refused", extra={"reason": reason, "held": self.held()})
        self.refused = reason

    def _run(self) -> None:
        while not self._stopped.wait(self._poll_interval_s):
            try:
                self.poll()
            except Exception:  # a fault in loading must not end the watch: the next version may be a good one
                _log.exception("artifact version refused")
                self.refused = "internal error while loading; see the log"
