"""What training costs by step: seconds and peak memory of `trainer train`, beside plain `implicit` on the same matrix.

    make benchmark-training      # or: .venv/bin/python -m benchmarks.training [--size 1m 10m] [--format parquet|csv]

Each run is a process of its own with an empty volume. The steps are those that the trainer's log tells; the peak of a
step is the kernel's own mark (VmHWM), set back whenever a step has ended, so what earlier steps still hold is in it.
The comparison: polars and `implicit` as one writes them in a notebook, and the trainer's reading, weighing and fit of
the same recipe (its first for such a shop), each on all events.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.load import machine
from benchmarks.training_shop import SIZES, ShopFiles, files_of

FOLDER: Final = Path(".bench/training")
_GB: Final = 1e9


@dataclass(frozen=True)
class Step:
    """One step of a run."""

    name: str
    seconds: float
    cpu_s: float  # of all its threads, whatever else the machine does
    peak_gb: float


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", nargs="+", choices=list(SIZES), default=["1m"])
    parser.add_argument("--format", choices=["parquet", "csv"], default="parquet")
    parser.add_argument("--recipe", type=Path, help="train by this recipe file, without a comparison of recipes")
    parser.add_argument("--only", choices=["train", *FITS], help="one of the processes alone")
    parser.add_argument("--child", choices=list(FITS), help=argparse.SUPPRESS)
    parser.add_argument("--events", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        FITS[arguments.child](arguments.events)
        return
    print(machine())
    for name in arguments.size:
        size = SIZES[name]
        files = files_of(size, FOLDER / name, form=arguments.format)
        print(f"\n{size.events:,} events, {size.users:,} users, {size.items:,} items, {arguments.format}", flush=True)
        if arguments.only in (None, "train"):
            print_steps(training(files, ["--recipe", str(arguments.recipe)] if arguments.recipe else []))
        fits = {one: fit(one, files) for one in FITS if arguments.only in (None, one)}
        if fits:
            print_fits(fits)


def training(files: ShopFiles, options: Sequence[str]) -> Iterator[Step]:
    """The steps of `trainer train`, then the whole of it."""
    with tempfile.TemporaryDirectory(dir=FOLDER) as volume:
        command = [sys.executable, "-m", "trainer", "train", "--artifact-dir", volume, *options]
        yield from watched([*command, "--events", str(files.events), "--catalogue", str(files.catalogue)])


def fit(name: str, files: ShopFiles) -> list[Step]:
    """The steps of a process that reads the events and fits one model, and nothing else."""
    return list(watched([sys.executable, "-m", __spec__.name, "--child", name, "--events", str(files.events)]))


def watched(command: Sequence[str]) -> Iterator[Step]:
    """Run a process whose log says `step done`: each step with its peak, then `total`.

    Raises: SystemExit, where it fails.
    """
    started, highest, cpu_s = time.perf_counter(), 0.0, 0.0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                told = fields_of(line)
                if told.get("message") == "step done":
                    peak, before, cpu_s = peak_gb(process.pid), cpu_s, processor_s(process.pid)
                    highest = max(highest, peak)
                    yield Step(str(told["step"]), float(told["seconds"]), cpu_s - before, peak)
                elif told.get("level") != "INFO":
                    print(line, end="", file=sys.stderr)
        finally:
            if process.poll() is None and sys.exc_info()[0] is not None:
                process.kill()
    if process.returncode not in (0, 3):  # 3: the gate refused it
        raise SystemExit(f"{' '.join(command)}: exit status {process.returncode}")
    yield Step("total", time.perf_counter() - started, cpu_s, highest)


def peak_gb(pid: int) -> float:
    """Most resident memory of a process since this was asked last (Linux); 0 once it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return 0.0
    return next((int(line.split()[1]) * 1024 / _GB for line in status.splitlines() if line.startswith("VmHWM:")), 0.0)


def processor_s(pid: int) -> float:
    """Processor seconds of a process so far (Linux)."""
    user, system = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def fields_of(line: str) -> dict[str, Any]:
    """What a line of a log says; nothing where it is none."""
    try:
        fields: dict[str, Any] = json.loads(line)
    except ValueError:
        return {}
    return fields


def print_steps(steps: Iterator[Step]) -> None:
    """A Markdown table, a row as soon as it is known."""
    print("\n| step | seconds | CPU s | peak GB |\n|---|---|---|---|")
    for step in steps:
        print(f"| {step.name} | {step.seconds:,.1f} | {step.cpu_s:,.1f} | {step.peak_gb:.2f} |", flush=True)


def print_fits(fits: dict[str, list[Step]]) -> None:
    """A Markdown table of both ways to fit one model, and their ratios."""
    print("\n| | step | seconds | CPU s | peak GB |\n|---|---|---|---|---|")
    for name, steps in fits.items():
        for step in steps:
            print(f"| {name} | {step.name} | {step.seconds:,.1f} | {step.cpu_s:,.1f} | {step.peak_gb:.2f} |")
    if len(fits) == len(FITS):
        for ours, plain in zip(fits["trainer"], fits["implicit"], strict=True):
            ratios = (ours.seconds / plain.seconds, ours.cpu_s / plain.cpu_s, ours.peak_gb / plain.peak_gb)
            print(f"| ratio | {ours.name} | {' | '.join(f'{ratio:.2f}' for ratio in ratios)} |", flush=True)


@contextmanager
def told(name: str) -> Iterator[None]:
    """Say on stderr, as the trainer's log does, that a step is done."""
    started = time.perf_counter()
    yield
    taken = {"message": "step done", "level": "INFO", "step": name, "seconds": time.perf_counter() - started}
    print(json.dumps(taken), file=sys.stderr, flush=True)


def fit_with_implicit(path: Path) -> None:
    """Polars to read and sum, `implicit` to fit: the plain way, without a check, a removal or an id kept."""
    import numpy as np
    import polars as pl
    import scipy.sparse as sp
    from implicit.cpu.als import AlternatingLeastSquares
    from implicit.nearest_neighbours import bm25_weight
    from threadpoolctl import threadpool_limits

    from trainer.models.als import ALSSettings
    from trainer.shop_data.mapping import ColumnMapping

    recipe = ALSSettings(**ALS)
    with told("read and weigh"):
        columns = ["user_id", "item_id", "event_type"]
        frame = pl.read_csv(path, columns=columns) if path.suffix == ".csv" else pl.read_parquet(path, columns=columns)
        weights = {name: weight for name, weight in ColumnMapping().event_weights.items() if weight > 0}
        codes = frame.filter(pl.col("event_type").is_in(list(weights))).select(
            user=pl.col("user_id").rank("dense") - 1,
            item=pl.col("item_id").rank("dense") - 1,
            weight=pl.col("event_type").replace_strict(weights, return_dtype=pl.Float32),
        )
        users, items = (codes[name].to_numpy().astype(np.int32) for name in ("user", "item"))
        matrix = sp.csr_matrix((codes["weight"].to_numpy(), (users, items)))
    with told("fit"), threadpool_limits(1, user_api="blas"):
        matrix.data /= matrix.data.mean()
        confidence = bm25_weight(matrix, K1=recipe.k1, B=recipe.b).tocsr().astype(np.float32)
        AlternatingLeastSquares(
            factors=recipe.dim,
            regularization=recipe.regularization,
            alpha=recipe.alpha,
            iterations=recipe.iterations,
            num_threads=os.cpu_count() or 1,
            random_state=0,
        ).fit(confidence, show_progress=False)


def fit_with_trainer(path: Path) -> None:
    """The trainer's own reading, with its checks, its matrix and its fit of the same recipe."""
    from trainer.models import als
    from trainer.shop_data import event_files, interactions
    from trainer.shop_data.mapping import ColumnMapping

    mapping = ColumnMapping()
    with told("read and weigh"):
        rejected = path.with_name("rejected.csv")
        loaded = event_files.load(path, mapping=mapping, quarantine_path=rejected)
        known = interactions.build(loaded.frame, weights=mapping.event_weights)
        del loaded
    with told("fit"):
        als.fit(known, als.ALSSettings(**ALS), seed=0)


# a default recipe of shops of these sizes
ALS: Final[dict[str, Any]] = {"dim": 256, "alpha": 3, "regularization": 10, "iterations": 8}
FITS: Final[dict[str, Callable[[Path], None]]] = {"trainer": fit_with_trainer, "implicit": fit_with_implicit}


if __name__ == "__main__":
    main()
