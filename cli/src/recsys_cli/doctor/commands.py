"""`recsys doctor`."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from recsys.exit_status import Status
from recsys_cli import places
from recsys_cli.output import JsonOption, print_json
from recsys_cli.places import StoreOption, VolumeOption

if TYPE_CHECKING:
    from recsys_cli.doctor.finding import Finding


def doctor(volume: VolumeOption = places.DEFAULT_VOLUME, store: StoreOption = "", as_json: JsonOption = False) -> None:
    """Look at a set-up, and say what to mend. Changes nothing; exit status 1 where something does not work."""
    from dataclasses import asdict

    findings = []
    for finding in _looked(volume, places.store_url(store, volume)):
        findings.append(finding)
        if not as_json:
            typer.echo(f"{finding.sign} {finding.check}: {finding.found}")
            if finding.mend:
                typer.echo(f"    → {finding.mend}")
    if as_json:
        print_json([asdict(finding) for finding in findings])
    if any(finding.level == "wrong" for finding in findings):
        raise typer.Exit(Status.FOUND_WRONG)


def add_to(app: typer.Typer) -> None:
    """The command."""
    app.command(rich_help_panel="Operations")(doctor)


def _looked(volume: Path, store_url: str) -> Iterator["Finding"]:
    """What there is to say, part by part."""
    from recsys.errors import DataError
    from recsys.lake import lake_dir, read_committed
    from recsys_cli.doctor import environment, gateway, lake, machine, store
    from recsys_cli.doctor import volume as versions

    yield from environment.look()
    yield from versions.look(volume)
    yield from lake.look(volume)
    yield from store.look(store_url)
    if store_url:
        try:
            committed = read_committed(lake_dir(volume))
        except DataError:  # `lake` says so
            committed = None
        yield from store.look_at_stream(store_url, moved=committed.sequence if committed else 0)
    yield from gateway.look(os.environ.get("RECSYS_API_KEY") or None)
    yield from machine.look(volume)
