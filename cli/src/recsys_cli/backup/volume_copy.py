"""The volume of versions: those that are there, which one is live, which are held, and the reports of runs."""

import shutil
from pathlib import Path
from typing import Final

from recsys import durable_file
from recsys.artifact import layout, writer
from recsys.errors import ArtifactError

_FOLDERS: Final = ("reports",)
_FILES: Final = (layout.NEWEST, "cursor.key", "demo-source.json")  # the last two are those of `make demo`
_ATTEMPTS: Final = 10


def take(volume: Path, folder: Path) -> tuple[str | None, list[str]]:
    """Copy a volume; returns the live version, and all that are in the copy.

    A version that is removed meanwhile stays out, and one that goes live meanwhile comes in.

    Raises: ArtifactError, OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for _ in range(_ATTEMPTS):
        copied = [version for version in layout.list_versions(volume) if _copy_version(volume, folder, version)]
        live = layout.current_version(volume)
        if live is None or live in copied:
            break
    else:
        raise ArtifactError(f"{volume}: {live} is live, and was not there to be copied {_ATTEMPTS} times")
    _copy_rest(volume, folder)
    held = [version for version in layout.held_versions(volume) if version in copied]
    if held:
        (folder / layout.HELD).write_text("".join(f"{version}\n" for version in held))
    if live is not None:
        (folder / layout.CURRENT).write_text(f"{live}\n")
    return live, copied


def restore(folder: Path, volume: Path) -> None:
    """Put a copy onto a volume; the pointer to the live version comes last. Raises: OSError."""
    volume.mkdir(parents=True, exist_ok=True)
    for version in layout.list_versions(folder):
        target = layout.version_dir(volume, version)
        beside = target.with_name(f".restoring-{version}")
        shutil.rmtree(beside, ignore_errors=True)
        shutil.copytree(layout.version_dir(folder, version), beside)
        shutil.rmtree(target, ignore_errors=True)
        beside.rename(target)
    _copy_rest(folder, volume)
    if (folder / layout.HELD).is_file():
        durable_file.replace(volume / layout.HELD, (folder / layout.HELD).read_bytes())
    if live := layout.current_version(folder):
        writer.activate(volume, live)


def clear(volume: Path) -> None:
    """Remove what a backup would bring. Raises: OSError."""
    for name in (layout.CURRENT, layout.HELD, *_FILES):
        (volume / name).unlink(missing_ok=True)
    for name in (layout.VERSIONS, *_FOLDERS):
        shutil.rmtree(volume / name, ignore_errors=True)


def _copy_version(volume: Path, folder: Path, version: str) -> bool:
    """Whether the version is in the copy, complete: it may be removed while it is copied."""
    target = layout.version_dir(folder, version)
    if target.exists():
        return True
    try:
        shutil.copytree(layout.version_dir(volume, version), target)
    except (FileNotFoundError, shutil.Error):
        if layout.version_dir(volume, version).exists():
            raise
        shutil.rmtree(target, ignore_errors=True)
        return False
    return True


def _copy_rest(source: Path, target: Path) -> None:
    for name in _FOLDERS:
        if (source / name).is_dir():
            ignored = shutil.ignore_patterns(f"*{durable_file.TEMPORARY}")
            shutil.copytree(source / name, target / name, ignore=ignored, dirs_exist_ok=True)
    for name in _FILES:
        if (source / name).is_file():
            shutil.copy(source / name, target / name)  # with its rights: the key of cursors is nobody else's
