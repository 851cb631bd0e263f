"""The demo's volumes: one a shop, whatever becomes of the shop's files.

In: the paths that were given, and the shop's name where one was. Out: the folder of the shop; whether its files have
changed since they were last learnt; and a lock, so that one system at a time serves it.
"""

import fcntl
import glob
import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tools.local_stack import ROOT, StackError

DEMO = ROOT / ".demo"
DEMO_SHOP = "demo-shop"
EMPTY_SHOP = "my-shop"
RUNS_KEPT = 5  # log folders a shop
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_NOT_OF_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_SUFFIXES = re.compile(r"(\.(csv|tsv|txt|json|jsonl|ndjson|parquet|gz|zst))+$", re.IGNORECASE)
_SOURCE = "demo-source.json"


def files_of(path: Path) -> list[Path]:
    """The files that a path stands for, as the trainer reads it: itself, those below a folder, or those of a pattern.

    Raises: StackError (there is none).
    """
    if path.is_dir():
        files = sorted(one for one in path.rglob("*") if one.is_file())
    else:
        files = [path] if path.is_file() else sorted(Path(one) for one in glob.glob(str(path), recursive=True))
    if not files:
        raise StackError(f"no such file: {path}")
    return files


def shop_name(events: Path | None, given: str | None) -> str:
    """The shop's name: the one given, else that of its events, made safe; what that changed ends in a hash of its own.

    Raises: StackError (the given one cannot be the name of a folder).
    """
    if given is not None:
        if not _NAME.fullmatch(given):
            raise StackError(f"SHOP={given}: expected up to 100 letters, digits, dots, dashes and underscores")
        return given
    if events is None:
        return DEMO_SHOP
    name = _SUFFIXES.sub("", events.resolve().name) or "shop"
    if _NAME.fullmatch(name):
        return name
    safe = _NOT_OF_A_NAME.sub("-", name).strip("-._")[:80] or "shop"
    return f"{safe}-{hashlib.sha256(name.encode(errors='surrogateescape')).hexdigest()[:6]}"


@dataclass(frozen=True)
class Shop:
    """A shop of the demo: its name and the files that it is learnt from (`{"events": …}`).

    Without files it is the generated shop, or, where it `starts_empty`, one without history.
    """

    name: str
    data: dict[str, Path]
    root: Path = DEMO
    starts_empty: bool = False

    @property
    def volume(self) -> Path:
        """Where its models, its lake and its feature store are."""
        return self.root / "volumes" / self.name

    def check_source(self, *, is_name_given: bool) -> None:
        """Raises StackError where the volume has this name by chance only: other events are learnt there."""
        learnt = self._learnt()
        if learnt is not None and not is_name_given and learnt["events"] != self._events():
            raise StackError(
                f"{self.volume} is the shop of {learnt['events'] or 'the generated data'}, not of {self._events()}; "
                f"name the shop: SHOP=another-name, or SHOP={self.name} if it is the same one"
            )

    def has_changed(self) -> bool:
        """Whether its files differ from those that were learnt last; with no record of that, files count as changed."""
        learnt = self._learnt()
        return bool(self.data) if learnt is None else learnt["files"] != self.files()

    def note_learnt(self, files: list[str]) -> None:
        """Records the files, as `files` told before the training, as learnt; without a volume there is nowhere to."""
        if self.volume.is_dir():
            record = {"events": self._events(), "files": files}
            (self.volume / _SOURCE).write_text(json.dumps(record, indent=1))

    def older_volumes(self) -> list[str]:
        """Volumes that earlier releases made of these events: named by the file and a hash of its state."""
        if "events" not in self.data:
            return []
        ours = re.compile(re.escape(files_of(self.data["events"])[0].name) + r"-[0-9a-f]{8}")
        folder = self.root / "volumes"
        return sorted(one.name for one in folder.iterdir() if ours.fullmatch(one.name)) if folder.is_dir() else []

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else serves this volume meanwhile; the lock goes with the process, however it ends. StackError."""
        self.volume.mkdir(parents=True, exist_ok=True)
        with (self.volume / "demo.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StackError(
                    f"another `make demo` serves {self.volume}; stop it, or choose another shop: SHOP=another-name"
                ) from error
            yield

    def new_log_dir(self) -> Path:
        """A folder for this run's logs, `latest` pointing there; only the newest few runs are kept. Needs the lock."""
        logs = self.root / "logs" / self.name
        folder = logs / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
        folder.mkdir(parents=True)
        latest = logs / "latest"
        latest.unlink(missing_ok=True)
        latest.symlink_to(folder.name)
        runs = sorted(one for one in logs.iterdir() if one.is_dir() and not one.is_symlink())
        for old in runs[:-RUNS_KEPT]:
            shutil.rmtree(old)
        return folder

    def _events(self) -> str | None:
        return str(self.data["events"].resolve()) if "events" in self.data else None

    def files(self) -> list[str]:
        """A line a file: which it is, and its state."""
        states = [(name, file.resolve(), file.stat()) for name, path in self.data.items() for file in files_of(path)]
        return [f"{name} {file} {state.st_size} {state.st_mtime_ns}" for name, file, state in states]

    def _learnt(self) -> dict[str, object] | None:
        try:
            content = json.loads((self.volume / _SOURCE).read_text())
        except (FileNotFoundError, ValueError):
            return None
        return content if isinstance(content, dict) and {"events", "files"} <= content.keys() else None
