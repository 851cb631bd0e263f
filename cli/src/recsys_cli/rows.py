"""Files of events and items as the API has them: JSON lines or CSV, also gzipped; `-` is standard input or output."""

import csv
import gzip
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final, cast

from recsys_cli.outcome import CommandError

Json = dict[str, Any]

STANDARD: Final = Path("-")


def read(path: Path) -> Iterator[Json]:
    """The rows of a file. Of CSV everything is text, and an empty cell is nothing. Raises: CommandError, OSError."""
    with _opened(path, "rt") as file:
        if path.name.removesuffix(".gz").endswith(".csv"):
            for row in csv.DictReader(file):
                yield {name: text for name, text in row.items() if name is not None and text}
            return
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise CommandError(f"{path}: line {number}: expected JSON, found {line[:60]!r}: {error}") from error
            if not isinstance(row, dict):
                raise CommandError(f"{path}: line {number}: expected a JSON object, found {line[:60]!r}")
            yield row


def write(path: Path, rows: Iterable[Json], *, columns: Sequence[str]) -> int:
    """Write rows, and return how many; CSV has these columns, JSON lines leave out what is nothing."""
    count = 0
    with _opened(path, "wt") as file:
        if path.name.removesuffix(".gz").endswith(".csv"):
            table = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
            table.writeheader()
            for row in rows:
                table.writerow({name: _cell(value) for name, value in row.items()})
                count += 1
            return count
        for row in rows:
            said = {name: value for name, value in row.items() if value not in (None, {}, "")}
            file.write(json.dumps(said, ensure_ascii=False) + "\n")
            count += 1
    return count


def refuse_two_documents(path: Path, *, as_json: bool) -> None:
    """Standard output takes the rows or what --json tells of them. Raises: CommandError, where both are asked for."""
    if as_json and path == STANDARD:
        raise CommandError("--json: expected the name of a file to write to, found -, which is standard output too")


def _cell(value: object) -> object:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value


@contextmanager
def _opened(path: Path, mode: str) -> Iterator[IO[str]]:
    if path == STANDARD:
        yield sys.stdin if mode == "rt" else sys.stdout
        return
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, mode, encoding="utf-8-sig" if mode == "rt" else "utf-8", newline="") as file:
        yield cast("IO[str]", file)
