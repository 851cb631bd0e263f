"""The machine: memory for two versions at once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from recsys.artifact import layout
from recsys_cli.doctor.finding import Finding, good, warning
from recsys_cli.doctor.volume import size_of

_MEMINFO: Final = Path("/proc/meminfo")
_LEAST_BYTES: Final = 500_000_000


def look(volume: Path) -> Iterator[Finding]:
    """What is to say of memory; nothing where the system does not tell."""
    if not _MEMINFO.is_file():
        return
    lines = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines())
    available = int(lines["MemAvailable"].split()[0]) * 1024
    live = layout.current_version(volume) if volume.is_dir() else None
    size = size_of(volume, live) if live else 0
    found = f"{available / 1e9:,.1f} GB available; a version takes {size / 1e9:,.2f} GB"
    if available < _LEAST_BYTES + 2 * size:
        yield warning("memory", found, mend="two versions are held while one is swapped: give the machine more")
    else:
        yield good("memory", found)
