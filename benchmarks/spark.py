"""What `trainer train --engine spark` costs by events and worker processes, and whether the model of cost foretells it.

    make benchmark-spark      # or: python -m benchmarks.spark [--events 0.3 1 3] [--workers 1 2] [--memory 2048]

Each run is the trainer's command on a made-up shop (`training_shop`: a user for every 20 events, 40,000 items, 64
dimensions, 10 iterations), with executors as processes of their own (`local-cluster`, one core each). A step, told on
stderr as it ends, has its time, and the processor time of all processes together, which is the same whatever else the
machine does. Memory is the most resident at one moment of the driver's Python, of its Java, and of the worker processes
together; the network is what Spark's event log says was written to be fetched by others. The model of cost is taken
from the first two sizes on one worker, and foretells the processor time of the other runs (docs/scale.md).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.load import machine
from benchmarks.training import fields_of
from benchmarks.training_shop import ShopFiles, Size, files_of
from recsys.artifact import layout
from recsys.artifact.reader import read_manifest

FOLDER: Final = Path(".bench/spark")
DIM: Final = 64
_ITEMS: Final = 40_000
_EVENTS_A_USER: Final = 20
_GB: Final = 1e9
_SAMPLE_S: Final = 2


@dataclass
class Run:
    """What one training took."""

    size: Size
    workers: int
    seconds: dict[str, float] = field(default_factory=dict)  # by step; `total`
    cpu_s: dict[str, float] = field(default_factory=dict)  # by step; `total`
    peak_gb: dict[str, float] = field(default_factory=lambda: defaultdict(float))  # by kind of process
    network_gb: float = 0.0
    artifact_gb: float = 0.0
    users: int = 0
    pairs: int = 0

    def line(self) -> str:
        """A row of the table."""
        steps = [f"{self.seconds.get(name, 0):,.0f} · {self.cpu_s.get(name, 0):,.0f}" for name in (*STEPS, "total")]
        memory = [f"{self.peak_gb[kind]:.2f}" for kind in KINDS]
        size = [f"{self.size.events / 1e6:g} M", f"{self.users:,}", f"{self.pairs:,}", str(self.workers)]
        return f"| {' | '.join([*size, *steps, *memory, f'{self.network_gb:.2f}', f'{self.artifact_gb:.3f}'])} |"


STEPS: Final = ("read", "hold out", "judge: fit", "judge", "weigh", "fit on everything", "solve users", "publish")
KINDS: Final = ("driver python", "driver java", "workers")
HEADER: Final = (
    f"| events | users | pairs | workers | {' | '.join(STEPS)} | total | "
    f"{' | '.join(f'{kind} GB' for kind in KINDS)} | network GB | artifact GB |\n{'|---' * 18}|"
)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", nargs="+", type=float, default=[0.3, 1, 3], help="millions")
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--memory", type=int, default=2048, help="MiB of each worker process, and of the driver's Java")
    arguments = parser.parse_args()
    print(f"{machine()}; of steps seconds · CPU seconds\n\n{HEADER}", flush=True)
    runs = []
    for millions in arguments.events:
        size = Size(int(millions * 1e6), int(millions * 1e6) // _EVENTS_A_USER, _ITEMS)
        files = files_of(size, FOLDER / str(size), form="parquet")
        for workers in arguments.workers:
            run = measured(size, files, workers=workers, memory_mb=arguments.memory)
            print(run.line(), flush=True)
            runs.append(run)
    print_model(runs)


def measured(size: Size, files: ShopFiles, *, workers: int, memory_mb: int) -> Run:
    """Train in a process of its own. Raises: SystemExit, where it fails."""
    run = Run(size, workers)
    with tempfile.TemporaryDirectory(dir=FOLDER) as temporary:
        folder = Path(temporary).resolve()
        volume, logs = folder / "volume", folder / "logs"
        logs.mkdir()
        (folder / "spark-defaults.conf").write_text(
            f"spark.eventLog.enabled true\nspark.eventLog.compress false\nspark.eventLog.dir file://{logs}\n"
            f"spark.driver.memory {memory_mb}m\nspark.executor.memory {memory_mb}m\n",
            encoding="utf-8",
        )
        master = f"local-cluster[{workers},1,{memory_mb}]"
        command = [sys.executable, "-m", "trainer", "train", "--engine", "spark", "--master", master]
        command += ["--artifact-dir", str(volume), "--events", str(files.events.resolve())]
        command += ["--catalogue", str(files.catalogue.resolve())]
        environment = {"SPARK_CONF_DIR": str(folder), "SPARK_LOCAL_DIRS": str(folder / "spark")}
        _watch(command, {**os.environ, **environment, "SPARK_LOCAL_IP": "127.0.0.1"}, folder, run)
        run.network_gb = sum(_shuffled(path) for path in logs.rglob("*") if path.is_file()) / _GB
        [version] = layout.list_versions(volume)
        manifest = read_manifest(layout.version_dir(volume, version))
        run.artifact_gb = sum(entry.bytes for entry in manifest.files.values()) / _GB
        run.users, run.pairs = manifest.user_count, manifest.interaction_count
    return run


def _watch(command: list[str], environment: dict[str, str], folder: Path, run: Run) -> None:
    started = time.perf_counter()
    with (
        (folder / "out.txt").open("wb") as out,
        subprocess.Popen(
            command, stdout=out, stderr=subprocess.PIPE, text=True, env=environment, cwd=folder
        ) as process,
    ):
        assert process.stderr is not None
        ended, cpu = threading.Event(), _Cpu()
        sampler = threading.Thread(target=_sample, args=(process.pid, run, ended, cpu))
        sampler.start()
        last: list[str] = []
        for line in process.stderr:
            last = [*last[-20:], line]
            told = fields_of(line)
            if told.get("message") == "step done":
                name = str(told["step"])
                run.seconds[name], run.cpu_s[name] = float(told["seconds"]), cpu.since_last()
                print(f"{name}: {run.seconds[name]:,.0f} s · {run.cpu_s[name]:,.0f} CPU s", file=sys.stderr, flush=True)
        process.wait()
        ended.set()
        sampler.join()
    if process.returncode not in (0, 3):  # 3: the gate refused it
        raise SystemExit("".join([f"exit status {process.returncode}\n", *last]))
    run.seconds["total"], run.cpu_s["total"] = time.perf_counter() - started, cpu.total()


class _Cpu:
    """Processor seconds of processes that come and go."""

    def __init__(self) -> None:
        self.of: dict[int, float] = {}
        self._told = 0.0

    def total(self) -> float:
        """So far, up to the last look."""
        return sum(self.of.copy().values())

    def since_last(self) -> float:
        """Since this was asked last."""
        before, self._told = self._told, self.total()
        return self._told - before


def _sample(root: int, run: Run, ended: threading.Event, cpu: _Cpu) -> None:
    """Most resident memory by kind of process, and the processor time of each (Linux)."""
    while not ended.wait(_SAMPLE_S):
        resident: dict[str, float] = defaultdict(float)
        for pid, kind in _tree(root):
            try:
                status = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
                times = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[11:13]
            except OSError:
                continue
            if "Pss:" in status:  # not of a process that has just ended
                resident[kind] += int(status.split("Pss:")[1].split()[0]) * 1024 / _GB
            cpu.of[pid] = sum(int(one) for one in times) / os.sysconf("SC_CLK_TCK")
        for kind, amount in resident.items():
            run.peak_gb[kind] = max(run.peak_gb[kind], amount)


def _tree(root: int) -> list[tuple[int, str]]:
    """The process and all below it, and of what kind each is."""
    parents: dict[int, list[int]] = defaultdict(list)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(fields[1])].append(int(stat.parent.name))
    found = [(root, "driver python")]
    java = parents[root]
    found += [(pid, "driver java") for pid in java]
    below = [child for pid in java for child in parents[pid]]
    while below:
        pid = below.pop()
        found.append((pid, "workers"))
        below += parents[pid]
    return found


def _shuffled(log: Path) -> int:
    """Bytes that tasks wrote to be fetched by others, by Spark's event log."""
    total = 0
    with log.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.startswith('{"Event":"SparkListenerTaskEnd"'):
                metrics = json.loads(line).get("Task Metrics") or {}
                total += metrics.get("Shuffle Write Metrics", {}).get("Shuffle Bytes Written", 0)
    return total


@dataclass(frozen=True)
class Group:
    """Steps that cost alike."""

    steps: tuple[str, ...]
    grows_with: str

    def cpu_s(self, run: Run) -> float:
        """Of these steps together."""
        return sum(run.cpu_s.get(step, 0) for step in self.steps)

    def amount(self, run: Run) -> int:
        """Of what they grow with."""
        return {"events": run.size.events, "pairs": run.pairs, "users": run.users}[self.grows_with]


GROUPS: Final = {
    "events": Group(("read", "hold out", "weigh"), "events"),
    "factors": Group(("judge: fit", "fit on everything"), "pairs"),
    "users": Group(("solve users", "publish"), "users"),
}


def print_model(runs: list[Run]) -> None:
    """The model of cost, start + amount × cost, and what it foretells of the runs that it is not taken from."""
    alone = [run for run in runs if run.workers == 1]
    if len(alone) < 2:
        return
    print(
        f"\n| steps | grow with | start CPU s | CPU µs each | of the run | foretold CPU s | measured |\n{'|---' * 7}|"
    )
    for name, group in GROUPS.items():
        first, second = alone[:2]
        slope = (group.cpu_s(second) - group.cpu_s(first)) / (group.amount(second) - group.amount(first))
        start = group.cpu_s(first) - slope * group.amount(first)
        for run in runs:
            if run not in (first, second):
                which = f"{run.size.events / 1e6:g} M, {run.workers} workers"
                figures = f"{start:.1f} | {slope * 1e6:.2f} | {which} | {start + slope * group.amount(run):,.0f}"
                print(f"| {name} | {group.grows_with} | {figures} | {group.cpu_s(run):,.0f} |")


if __name__ == "__main__":
    main()
