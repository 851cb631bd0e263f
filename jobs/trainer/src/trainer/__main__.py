"""The trainer: makes versions of a shop's events that the services serve, and manages those on the volume."""

import signal
import sys
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from recsys.artifact import layout, writer
from recsys.artifact.reader import open_artifact
from recsys.artifact.verdict import verdict_of
from recsys.errors import DataError, InvalidArgumentError, RecsysError
from recsys.observability import logging as recsys_logging
from recsys.process import read_settings
from trainer import threads
from trainer.publishing import outputs, version_list
from trainer.settings import Settings

# What learns takes seconds to import: each command imports what it works with, and within the limit of threads.
if TYPE_CHECKING:
    from trainer import pipeline
    from trainer.choosing.recipe import Recipe
    from trainer.evaluation.split import Split
    from trainer.report.table import Row
    from trainer.shop_data.shop import Shop
    from trainer.shop_data.shop_files import ShopFiles

ModelName = Literal["als", "ials", "spectral", "lightgcn"]

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)

EventsOption = Annotated[
    Path | None, typer.Option("--events", help="CSV, JSON lines or Parquet; a directory or pattern. None: demo shop.")
]
MappingOption = Annotated[Path | None, typer.Option("--mapping", help="TOML: the shop's column names in our terms.")]
CatalogueOption = Annotated[Path | None, typer.Option("--catalogue", help="A separate file of items.")]
RecipeOption = Annotated[
    Path | None, typer.Option("--recipe", help="A recipe file; none: choose by a held-out window.")
]
LakeOption = Annotated[
    Path | None, typer.Option("--lake", help="What the event sink writes. None: `lake` on the volume, if it is there.")
]
VolumeOption = Annotated[Path | None, typer.Option("--artifact-dir", help="The volume of versions.")]


@app.command()
def train(
    events_path: EventsOption = None,
    mapping_path: MappingOption = None,
    catalogue_path: CatalogueOption = None,
    lake_path: LakeOption = None,
    artifact_dir: VolumeOption = None,
    recipe: RecipeOption = None,
    until: Annotated[
        str | None, typer.Option(help="Learn only from events before this time; without a zone it is UTC.")
    ] = None,
    force: Annotated[bool, typer.Option(help="Go live whatever the gate says; the manifest records it.")] = False,
    if_empty: Annotated[bool, typer.Option(help="Do nothing where a version is live already.")] = False,
) -> None:
    """Train a model and publish it; it goes live if the gate lets it."""
    settings = _settings(artifact_dir)
    live = layout.current_version(settings.artifact_dir)
    if if_empty and live is not None:
        open_artifact(layout.version_dir(settings.artifact_dir, live))  # what services would refuse is something to do
        typer.echo(f"{settings.artifact_dir}: version {live} is live; nothing to do")
        return
    with threads.limited(settings.threads):
        from trainer import pipeline
        from trainer.choosing import recipe as recipes
        from trainer.shop_data.shop_files import ShopFiles

        before = None if until is None else _moment(until)
        outputs.must_be_writable(settings.artifact_dir / pipeline.REPORTS)
        shop = _read_shop(ShopFiles(events_path, mapping_path, catalogue_path, lake_path), settings)
        if before is not None:
            shop = pipeline.before(shop, before)
        chosen = recipes.read(recipe) if recipe else None
        outcome = pipeline.train(shop, settings=settings, recipe=chosen, force=force)
    typer.echo(_summary(outcome))
    if not outcome.activated:
        raise typer.Exit(3)


@app.command("schedule")
def train_on_schedule(
    every: Annotated[str, typer.Option(help="How long between two runs: 90s, 30m, 6h, 1d.")] = "6h",
    min_new_events: Annotated[int, typer.Option(min=0, help="With fewer new events in the lake, no run.")] = 1,
    events_path: EventsOption = None,
    mapping_path: MappingOption = None,
    catalogue_path: CatalogueOption = None,
    lake_path: LakeOption = None,
    artifact_dir: VolumeOption = None,
    recipe: RecipeOption = None,
) -> None:
    """Train on an interval, each time through the gate, until SIGTERM; a run that has begun is brought to its end."""
    from recsys.lake import lake_dir
    from trainer import pipeline, schedule
    from trainer.choosing import recipe as recipes
    from trainer.shop_data.shop_files import ShopFiles

    settings = _settings(artifact_dir)
    plan = schedule.Schedule(every=schedule.interval(every), min_new_events=min_new_events)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

    def once() -> pipeline.Outcome:
        with threads.limited(settings.threads):
            shop = _read_shop(ShopFiles(events_path, mapping_path, catalogue_path, lake_path), settings)
            chosen = recipes.read(recipe) if recipe else None
            return pipeline.train(shop, settings=settings, recipe=chosen, force=False)

    schedule.run(
        plan,
        volume=settings.artifact_dir,
        lake_dir=lake_path or lake_dir(settings.artifact_dir),
        train=once,
        stop=stop,
    )


@app.command()
def tune(
    out: Annotated[Path, typer.Option(help="Where the winning recipe is written, for `train --recipe`.")],
    minutes: Annotated[float, typer.Option(min=0, help="Time budget.")] = 10,
    model: Annotated[
        ModelName | None, typer.Option(help="Search only this model; none: als, ials and spectral.")
    ] = None,
    events_path: EventsOption = None,
    mapping_path: MappingOption = None,
    catalogue_path: CatalogueOption = None,
    lake_path: LakeOption = None,
    artifact_dir: VolumeOption = None,
) -> None:
    """Search hyper-parameters on held-out time windows before the newest one, which stays unseen for judging."""
    settings = _settings(artifact_dir)
    with outputs.replacing(out) as file, threads.limited(settings.threads):
        from trainer import pipeline
        from trainer.shop_data.shop_files import ShopFiles

        shop = _read_shop(ShopFiles(events_path, mapping_path, catalogue_path, lake_path), settings)
        recipe, score = pipeline.tune(shop, settings=settings, models=[model] if model else [], budget_s=minutes * 60)
        file.write(f"{recipe.model_dump_json(indent=2)}\n".encode())
    typer.echo(f"{out}: ndcg@20 {score:.4f} on the validation windows\n{recipe.model_dump_json()}")


@app.command()
def evaluate(
    windows: Annotated[int, typer.Option(min=1, help="Rolling windows at the end of the events.")] = 4,
    leave_last_out: Annotated[bool, typer.Option(help="Instead: test each user on the item taken up last.")] = False,
    pair: Annotated[
        tuple[Path, Path] | None,
        typer.Option(help="Instead: a given train and test file, as LightGCN's authors write."),
    ] = None,
    recipe: Annotated[Path | None, typer.Option(help="A recipe file; none: every default candidate.")] = None,
    events_path: EventsOption = None,
    mapping_path: MappingOption = None,
    catalogue_path: CatalogueOption = None,
    lake_path: LakeOption = None,
    artifact_dir: VolumeOption = None,
) -> None:
    """Print a table of baselines and models on held-out data. Publishes nothing."""
    settings = _settings(artifact_dir)
    with threads.limited(settings.threads):
        from trainer.choosing import recipe as recipes
        from trainer.evaluation import split
        from trainer.evaluation import windows as held_out_windows
        from trainer.report import table
        from trainer.shop_data.shop_files import ShopFiles

        if pair is not None:
            splits = [split.given_pair(*pair)]
        else:
            shop = _read_shop(ShopFiles(events_path, mapping_path, catalogue_path, lake_path), settings)
            if leave_last_out:
                splits = [split.leave_last_out(shop.events, weights=shop.weights)]
            else:
                splits = held_out_windows.held_out(shop.events, weights=shop.weights, settings=settings, most=windows)
        if not splits:
            raise DataError("expected events that reach over a held-out window, found too few; see the log")
        for window in splits:
            typer.echo(f"\n{_described(window)}\n\n{table.HEADER}")
            for row in _rows(window, recipes.read(recipe) if recipe else None, settings):
                typer.echo(row.line())


@app.command()
def validate(
    events_path: EventsOption = None,
    mapping_path: MappingOption = None,
    catalogue_path: CatalogueOption = None,
    artifact_dir: VolumeOption = None,
    max_rejected: Annotated[
        float, typer.Option(min=0, max=1, help="With a larger share of rows rejected, the exit status is 1.")
    ] = 0.3,
) -> None:
    """Read and check a shop's files, and report what would be kept and what rejected, and why."""
    from trainer.shop_data import events, mapping
    from trainer.shop_data.mapping import Mapping
    from trainer.shop_data.shop_files import QUARANTINE

    if events_path is None:
        raise typer.BadParameter("name the file to check", param_hint="--events")
    settings = _settings(artifact_dir)
    loaded = events.load(
        events_path,
        mapping=mapping.read(mapping_path) if mapping_path else Mapping(),
        catalogue_path=catalogue_path,
        quarantine_path=settings.artifact_dir / QUARANTINE,
    )
    report = loaded.report
    typer.echo(report.render())
    if report.events.read == 0:
        typer.echo("no events yet: a shop may begin so, and learns from what comes in")
    too_many = [
        f"{name}: {counts.share_rejected:.0%} of the rows were rejected, of at most {max_rejected:.0%} (--max-rejected)"
        for name, counts in (("events", report.events), ("catalogue", report.catalogue))
        if counts is not None and counts.share_rejected > max_rejected
    ]
    if too_many:
        typer.echo("\n".join(too_many), err=True)
        raise typer.Exit(1)


@app.command()
def versions(artifact_dir: VolumeOption = None) -> None:
    """List the versions on the volume, oldest first; * marks the live one."""
    for line in version_list.lines(_settings(artifact_dir).artifact_dir):
        typer.echo(line)


@app.command()
def activate(version: str, artifact_dir: VolumeOption = None) -> None:
    """Make a kept version the live one: roll back, or put a refused version live."""
    volume = _settings(artifact_dir).artifact_dir
    if version in layout.list_versions(volume):  # else activate says what there is
        artifact = open_artifact(layout.version_dir(volume, version))  # what services would refuse stays out
        verdict = verdict_of(artifact.manifest)
        if verdict is not None and verdict.refusal:
            typer.echo(f"warning: {version} was refused: {verdict.refusal}", err=True)
    writer.activate(volume, version)
    typer.echo(f"{version} is live")


@app.command()
def hold(version: str, artifact_dir: VolumeOption = None) -> None:
    """Pin a version for an arm of an experiment: it is never removed, and services keep it loaded."""
    writer.hold(_settings(artifact_dir).artifact_dir, version)
    typer.echo(f"{version} is held")


@app.command()
def release(version: str, artifact_dir: VolumeOption = None) -> None:
    """Undo `hold`: the version is removed in its turn."""
    writer.release(_settings(artifact_dir).artifact_dir, version)
    typer.echo(f"{version} is held no more")


@app.command()
def demo_data(out: Annotated[Path, typer.Option(help="Directory for events.parquet and catalogue.parquet.")]) -> None:
    """Write the demo shop's events and catalogue to files."""
    from trainer.shop_data import demo_shop

    for path in demo_shop.write(out):
        typer.echo(path)


def _moment(text: str) -> datetime:
    """A time as files write one. Raises: InvalidArgumentError."""
    import polars as pl

    from trainer.shop_data import timestamps

    moment = timestamps.parse(pl.Series([text]), format="auto", timezone="UTC")[0]
    if not isinstance(moment, datetime):
        raise InvalidArgumentError(f"--until: expected a time such as 2024-01-31T18:00:00+02:00, found {text!r}")
    return moment


def _read_shop(files: "ShopFiles", settings: Settings) -> "Shop":
    from trainer.shop_data import shop_files

    shop, reports = shop_files.read(files, settings=settings)
    for one in reports:
        typer.echo(one)
    return shop


def _rows(window: "Split", recipe: "Recipe | None", settings: Settings) -> "Iterator[Row]":
    from trainer import pipeline
    from trainer.report import table

    yield from table.baselines(window, recent_days=settings.recent_days)
    candidates = [recipe] if recipe else pipeline.candidates_for(window.train)
    if recipe is None and window.cut is not None:
        candidates += [one.model_copy(update={"recency_strength": 1.0}) for one in candidates]
    for one in candidates:
        yield table.of_recipe(one, window, recent_days=settings.recent_days, seed=settings.seed)


def _described(window: "Split") -> str:
    tested = (
        f"{window.test.nnz:,} test pairs, {len(window.train.user_ids):,} users × {len(window.train.item_ids):,} items, "
        f"judged by {window.judged_users:,} users"
    )
    return f"from {window.cut:%Y-%m-%d %H:%M} UTC: {tested}" if window.cut else tested


def _settings(artifact_dir: Path | None) -> Settings:
    return read_settings(Settings) if artifact_dir is None else read_settings(Settings, artifact_dir=artifact_dir)


def _summary(outcome: "pipeline.Outcome") -> str:
    lines = [f"recipe: {outcome.recipe.model_dump_json()}"]
    if outcome.judgement is not None:
        new, popular = outcome.judgement.new, outcome.judgement.popularity
        lines += [
            f"{name}: {new.mean(name):.4f} (popularity {popular.mean(name):.4f})" for name in ("recall@20", "ndcg@20")
        ]
    lines += [f"judged by {outcome.verdict.users:,} users", *outcome.verdict.reasons]
    if outcome.report is not None:
        lines.append(f"report: {outcome.report}")
    lines.append(f"{outcome.version} is {'live' if outcome.activated else 'refused, and not live'}")
    return "\n".join(lines)


def main() -> None:
    """Run a command; what is foreseen to go wrong is a sentence and exit status 2, never a traceback."""
    recsys_logging.configure(service="trainer", level="INFO")
    try:
        app()
    except RecsysError as error:
        _end(str(error))
    except OSError as error:  # a full disk, a folder where a file should be, a file of somebody else
        _end(f"{error.filename or 'the volume (--artifact-dir)'}: {error.strerror or error}")  # unnamed: while writing
    except MemoryError as error:
        _end(f"not enough memory: {error}")


def _end(message: str) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    sys.exit(2)


if __name__ == "__main__":
    main()
