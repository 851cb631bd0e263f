"""The trainer: makes versions of a shop's events that the services serve, and manages those on the volume."""

import signal
import threading
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recsys.artifact import layout
from recsys.artifact.reader import open_artifact
from recsys.errors import DataError, InvalidArgumentError
from recsys.exit_status import Status, ended_by_a_sentence
from recsys.observability import logging as recsys_logging
from trainer import device, engines, threads, version_commands
from trainer.engines import Engine, EngineName
from trainer.publishing import outputs, store
from trainer.settings import ModelName, Settings, ShopFiles
from trainer.version_commands import JsonOption, VolumeOption, print_json, settings_of

# What learns takes seconds to import: each command imports what it works with, and within the limit of threads.
if TYPE_CHECKING:
    from trainer.choosing.baskets import OfWindow
    from trainer.evaluation.split import Split
    from trainer.outcome import Judgement, Outcome
    from trainer.report.table import Told
    from trainer.shop_data.shop import Shop

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(version_commands.app)

EventsOption = Annotated[
    Path | None,
    typer.Option("--events", help="CSV, JSON or Parquet; a directory or pattern. No file at all: demo shop."),
]
MappingOption = Annotated[Path | None, typer.Option("--mapping", help="TOML: the shop's column names in our terms.")]
CatalogueOption = Annotated[Path | None, typer.Option("--catalogue", help="A separate file of items.")]
RecipeOption = Annotated[
    Path | None, typer.Option("--recipe", help="A recipe file; none: choose by a held-out window.")
]
EmptyOption = Annotated[
    bool, typer.Option("--empty", help="A shop without history, instead of the demo shop, where no events are named.")
]
EngineOption = Annotated[
    EngineName, typer.Option("--engine", help="Where models are fitted: on this machine, or on a Spark cluster.")
]
MasterOption = Annotated[
    str, typer.Option("--master", help="Of --engine spark: local[*], spark://host:7077, k8s://…, yarn.")
]
LakeOption = Annotated[
    Path | None, typer.Option("--lake", help="What the event sink writes. None: `lake` on the volume, if it is there.")
]


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
    starts_empty: EmptyOption = False,
    engine: EngineOption = "local",
    master: MasterOption = "local[*]",
    as_json: JsonOption = False,
) -> None:
    """Train a model and publish it; it goes live if the gate lets it."""
    settings = settings_of(artifact_dir)
    if if_empty:
        store.follow(settings)
    live = layout.current_version(settings.artifact_dir)
    if if_empty and live is not None:
        open_artifact(layout.version_dir(settings.artifact_dir, live))  # what services would refuse is something to do
        if as_json:
            print_json({"trained": False, "live": live})
        else:
            typer.echo(f"{settings.artifact_dir}: version {live} is live; nothing to do")
        return
    files = ShopFiles(events_path, mapping_path, catalogue_path, lake_path, starts_empty)
    where = None if engine == "local" else (engines.load(engine), master)
    outcome = _train(files, settings, recipe, until=until, force=force, where=where)
    if as_json:
        print_json({"trained": True, "live": layout.current_version(settings.artifact_dir), **outcome.as_json()})
    else:
        typer.echo(outcome.summary())
    if not outcome.activated:
        raise typer.Exit(Status.REFUSED)


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
    starts_empty: EmptyOption = False,
) -> None:
    """Train on an interval, each time through the gate, until SIGTERM; a run that has begun is brought to its end."""
    from recsys.lake import lake_dir
    from trainer import schedule

    settings = settings_of(artifact_dir)
    store.follow(settings)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    files = ShopFiles(events_path, mapping_path, catalogue_path, lake_path, starts_empty)
    schedule.run(
        lambda: _train(files, settings, recipe),
        every=schedule.interval(every),
        min_new_events=min_new_events,
        volume=settings.artifact_dir,
        lake_dir=lake_path or lake_dir(settings.artifact_dir),
        stop=stop,
    )


@app.command()
def tune(
    out: Annotated[Path, typer.Option(help="Where the winning recipe is written, for `train --recipe`.")],
    minutes: Annotated[float, typer.Option(min=0, help="Time budget.")] = 10,
    model: Annotated[
        ModelName | None, typer.Option(help="Search only this model; none: those of the default recipes.")
    ] = None,
    events_path: EventsOption = None,
    mapping_path: MappingOption = None,
    catalogue_path: CatalogueOption = None,
    lake_path: LakeOption = None,
    artifact_dir: VolumeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Search hyper-parameters on held-out time windows before the newest one, which stays unseen for judging."""
    settings = settings_of(artifact_dir)
    with outputs.replacing(out) as file, threads.limited(settings.threads), device.used(settings.device):
        from trainer import pipeline

        shop = _read_shop(ShopFiles(events_path, mapping_path, catalogue_path, lake_path), settings)
        tuned = pipeline.tune(shop, settings=settings, models=[model] if model else [], budget_s=minutes * 60)
        file.write(f"{tuned.recipe.model_dump_json(indent=2)}\n".encode())
    if as_json:
        print_json({"file": str(out), **tuned.as_json()})
    else:
        typer.echo(f"{tuned.summary()}\n{out}: ndcg@20 {tuned.score:.4f}\n{tuned.recipe.model_dump_json()}")


@app.command()
def evaluate(
    windows: Annotated[int, typer.Option(min=1, help="Rolling windows at the end of the events.")] = 4,
    leave_last_out: Annotated[bool, typer.Option(help="Instead: test each user on the item taken up last.")] = False,
    pair: Annotated[
        tuple[Path, Path] | None,
        typer.Option(help="Instead: a given train and test file, as LightGCN's authors write."),
    ] = None,
    recipe: Annotated[Path | None, typer.Option(help="A recipe file; none: every default recipe.")] = None,
    events_path: EventsOption = None,
    mapping_path: MappingOption = None,
    catalogue_path: CatalogueOption = None,
    lake_path: LakeOption = None,
    artifact_dir: VolumeOption = None,
    engine: EngineOption = "local",
    master: MasterOption = "local[*]",
    as_json: JsonOption = False,
) -> None:
    """Print a table of baselines and models on held-out data. Publishes nothing."""
    settings = settings_of(artifact_dir)
    with threads.limited(settings.threads), device.used(settings.device):
        from trainer.choosing import baskets
        from trainer.choosing import recipe as recipes
        from trainer.choosing.new_items import Facts
        from trainer.evaluation import split
        from trainer.evaluation import windows as held_out_windows
        from trainer.report import table

        given_recipe = recipes.read(recipe) if recipe else None
        if engine != "local":
            if pair is not None or leave_last_out:
                raise InvalidArgumentError(f"--engine {engine}: expected --windows, found --pair or --leave-last-out")
            files = ShopFiles(events_path, mapping_path, catalogue_path, lake_path)
            told = engines.load(engine).evaluate(files, settings, given_recipe, master=master, windows=windows)
            _tell(told, as_json=as_json)
            return
        choose_by: list[Split] = []
        facts: Facts | None = None
        of_baskets: dict[datetime, OfWindow] = {}
        if pair is not None:
            given = split.given_pair(*pair)
            splits = [*held_out_windows.of_train(given, seed=settings.seed), given] if recipe is None else [given]
        else:
            shop = _read_shop(ShopFiles(events_path, mapping_path, catalogue_path, lake_path), settings)
            if leave_last_out:
                splits = [split.leave_last_out(shop.events, weights=shop.weights)]
            else:
                splits = held_out_windows.held_out(shop.events, weights=shop.weights, settings=settings, most=windows)
                facts = Facts.of(shop)
                of_baskets = baskets.of_windows(shop.events, splits, settings=settings)
                if recipe is None and len(splits) > 1:
                    choose_by = held_out_windows.to_choose_by(
                        shop.events, splits, weights=shop.weights, settings=settings
                    )
        if not splits:
            raise DataError("expected events that reach over a held-out window, found too few; see the log")
        told = table.tables(
            splits, given_recipe, choose_by=choose_by, facts=facts, of_baskets=of_baskets, settings=settings
        )
        _tell(told, as_json=as_json)


@app.command()
def validate(
    events_path: EventsOption = None,
    mapping_path: MappingOption = None,
    catalogue_path: CatalogueOption = None,
    artifact_dir: VolumeOption = None,
    max_rejected: Annotated[
        float, typer.Option(min=0, max=1, help="With a larger share of rows rejected, the exit status is 1.")
    ] = 0.3,
    as_json: JsonOption = False,
) -> None:
    """Read and check a shop's files, and report what would be kept and what rejected, and why."""
    from trainer.shop_data import event_files, mapping, proposal
    from trainer.shop_data.shop_files import QUARANTINE

    if events_path is None:
        raise typer.BadParameter("name the file to check", param_hint="--events")
    terms = mapping.read(mapping_path)
    try:
        loaded = event_files.load(
            events_path,
            mapping=terms,
            catalogue_path=catalogue_path,
            quarantine_path=settings_of(artifact_dir).artifact_dir / QUARANTINE,
        )
    except DataError as error:
        raise DataError("\n".join([str(error), *proposal.told(events_path, terms)])) from error
    report = loaded.report
    too_many = report.too_many_rejected(max_rejected)
    if as_json:
        print_json(asdict(report) | {"too_many_rejected": too_many})
    else:
        typer.echo(report.render())
        for line in proposal.told(events_path, terms):
            typer.echo(line)
        if report.events.read == 0:
            typer.echo("no events yet: a shop may begin so, and learns from what comes in")
    if too_many:
        typer.echo("\n".join(too_many), err=True)
        raise typer.Exit(Status.FOUND_WRONG)


@app.command()
def import_gorse(
    files: Annotated[
        list[Path], typer.Argument(help="Gorse's binary dump, files of its bulk export, or a folder of them.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for events.csv, items.csv and mapping.toml.")],
    positive: Annotated[
        list[str] | None, typer.Option(help="As Gorse's positive_feedback_types: star>=3 leaves lower stars behind.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Bring what a Gorse has of a shop over, as files that train, demo and the clients read; say what stayed behind."""
    from trainer.importing import gorse

    imported = gorse.import_gorse(files, out, positive=positive or [])
    if as_json:
        print_json(asdict(imported))
    else:
        typer.echo(imported.render())


@app.command()
def demo_data(out: Annotated[Path, typer.Option(help="Directory for events.parquet and catalogue.parquet.")]) -> None:
    """Write the demo shop's events and catalogue to files."""
    from trainer.shop_data import demo_shop

    for path in demo_shop.write(out):
        typer.echo(path)


def _train(
    files: ShopFiles,
    settings: Settings,
    recipe_path: Path | None,
    *,
    until: str | None = None,
    force: bool = False,
    where: tuple[Engine, str] | None = None,
) -> "Outcome[Judgement]":
    """A run on this machine, or on another engine and its master."""
    with threads.limited(settings.threads), device.used(settings.device):
        from trainer import pipeline, run_metrics
        from trainer.choosing import recipe as recipes
        from trainer.progress import step
        from trainer.shop_data import timestamps

        before = None if until is None else timestamps.read_one(until, name="--until")
        outputs.must_be_writable(settings.artifact_dir / layout.REPORTS)
        store.follow(settings)
        recipe = recipes.read(recipe_path) if recipe_path else None

        def read() -> "Shop":
            with step("read"):
                shop = _read_shop(files, settings)
                return shop if before is None else pipeline.before(shop, before)

        with run_metrics.written(settings.artifact_dir) as told:
            if where is not None:
                engine, master = where
                return told(engine.train(files, settings, recipe, master=master, before=before, force=force))
            # not held here: the pipeline lets the events go when it has made a matrix of them
            return told(pipeline.train(read(), settings=settings, recipe=recipe, force=force))


def _read_shop(files: ShopFiles, settings: Settings) -> "Shop":
    from trainer.shop_data import shop_files

    shop, reports = shop_files.read(files, settings=settings)
    for one in reports:
        typer.echo(one, err=True)
    return shop


def _tell(told: "Iterator[Told]", *, as_json: bool) -> None:
    """The tables, each row as soon as it is known, or all of them as JSON."""
    from trainer.report import table

    if as_json:
        print_json(table.as_json(told))
        return
    for one in told:
        typer.echo(one.line())


def main() -> None:
    """Run a command; what is foreseen to go wrong is a sentence and an exit status, never a traceback."""
    recsys_logging.configure(service="trainer", level="INFO")
    with ended_by_a_sentence():
        app()


if __name__ == "__main__":
    main()
