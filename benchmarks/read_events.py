"""Reading a shop's events: `trainer.shop_data.event_files.load` beside pandas.read_csv with the same checks.

    .venv/bin/python benchmarks/read_events.py [--rows 10000000] [--format csv|csv.gz|jsonl|parquet]

Writes the same file every time (seeded) into a temporary directory, reads it with each reader in a process of its own,
and prints seconds, CPU seconds, peak resident memory and ratios. One row in a hundred is bad, in four ways.
pandas reads CSV only.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

SEED = 20241123
USERS, ITEMS = 500_000, 50_000
PART_ROWS = 1_000_000
FIRST_SECOND, SPAN_SECONDS = 1_700_000_000, 180 * 86_400
TYPES = ["view", "cart", "purchase"]


def part(rows: int, rng: np.random.Generator) -> pl.DataFrame:
    """Events with ids that only text keeps (leading zeros), 1 % of them bad."""
    frame = pl.DataFrame(
        {
            "user_id": rng.integers(USERS, size=rows),
            "item_id": (ITEMS * rng.random(rows) ** 3).astype(np.int64),
            "event_type": rng.choice(3, size=rows, p=[0.8, 0.15, 0.05]),
            "timestamp": (FIRST_SECOND + rng.integers(SPAN_SECONDS, size=rows)) * 1_000_000,
            "quantity": rng.integers(1, 4, size=rows).astype(str),
            "bad": rng.integers(400, size=rows),
        }
    )
    bad = pl.col("bad")
    instant = pl.col("timestamp").cast(pl.Datetime("us")).dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    types = pl.col("event_type").cast(pl.String).replace_strict({str(n): name for n, name in enumerate(TYPES)})
    return frame.select(
        pl.when(bad != 0).then(pl.format("{}", pl.col("user_id").cast(pl.String).str.zfill(8))).alias("user_id"),
        pl.col("item_id").cast(pl.String).str.zfill(6),
        pl.when(bad != 1).then(types).otherwise(pl.lit("hover")).alias("event_type"),
        pl.when(bad != 2).then(instant).otherwise(pl.lit("yesterday")).alias("timestamp"),
        pl.when(bad != 3).then("quantity").otherwise(pl.lit("-1")).alias("quantity"),
    )


def generate(path: Path, *, rows: int) -> None:
    """Write the events as CSV, JSON lines or Parquet, by the name's ending."""
    rng = np.random.default_rng(SEED)
    parts = (part(min(PART_ROWS, rows - start), rng) for start in range(0, rows, PART_ROWS))
    if path.suffix == ".parquet":
        pl.concat(parts).write_parquet(path)
        return
    plain = path.with_suffix("") if path.suffix == ".gz" else path
    with plain.open("wb") as file:
        for n, frame in enumerate(parts):
            if plain.suffix == ".csv":
                frame.write_csv(file, include_header=n == 0)
            else:
                frame.write_ndjson(file)
    if path.suffix == ".gz":
        subprocess.run(["gzip", "-1", str(plain)], check=True)


def read_with_trainer(path: Path) -> int:
    """Rows kept by the product's reader."""
    from trainer.shop_data import event_files
    from trainer.shop_data.mapping import ColumnMapping

    return event_files.load(
        path, mapping=ColumnMapping(), quarantine_path=path.with_name("quarantine.csv")
    ).frame.height


def read_with_pandas(path: Path) -> int:
    """Rows kept by the baseline: the same types, checks, quarantine, counts and order, as one writes them in pandas."""
    import pandas as pd  # type: ignore[import-untyped]  # only this baseline uses it, for which stubs are not worth it

    raw = pd.read_csv(path, dtype=str, keep_default_na=False)
    timestamp = pd.to_datetime(raw["timestamp"], utc=True, format="ISO8601", errors="coerce")
    quantity = pd.to_numeric(raw["quantity"], errors="coerce")
    checks = [
        (raw["user_id"] == "", "missing user_id"),
        (raw["item_id"] == "", "missing item_id"),
        (timestamp.isna(), "unreadable timestamp"),
        (timestamp > pd.Timestamp.now("UTC") + pd.Timedelta(days=1), "timestamp in the future"),
        (~raw["event_type"].isin(TYPES), "unknown event type"),
        ((raw["quantity"] != "") & quantity.isna(), "unreadable quantity"),
        (quantity <= 0, "quantity not above 0"),
    ]
    reason = np.select([condition for condition, _ in checks], [name for _, name in checks], "")
    rejected = raw[reason != ""].assign(row=np.flatnonzero(reason != "") + 2, reason=reason[reason != ""])
    rejected.to_csv(path.with_name("quarantine.csv"), index=False)
    raw["timestamp"], raw["quantity"], raw["event_type"] = timestamp, quantity, raw["event_type"].astype("category")
    kept = raw[reason == ""].sort_values("timestamp", kind="stable")
    kept.duplicated().sum()
    kept["user_id"].nunique()
    kept["item_id"].nunique()
    return len(kept)


READERS: dict[str, Callable[[Path], int]] = {"trainer": read_with_trainer, "pandas": read_with_pandas}


def measure(reader: str, path: Path) -> dict[str, float]:
    """Run this file again as a process that only reads."""
    command = [sys.executable, __file__, "--reader", reader, "--path", str(path)]
    result: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return result


def peak_resident_gb() -> float:
    """Of this process since it was started (Linux). getrusage would count the parent's peak in, which exec inherits."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (kilobytes,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(kilobytes) * 1024 / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--format", choices=["csv", "csv.gz", "jsonl", "parquet"], default="csv")
    parser.add_argument("--reader", choices=list(READERS), help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.reader:
        started = time.perf_counter()
        kept = READERS[arguments.reader](arguments.path)
        seconds = time.perf_counter() - started
        used = resource.getrusage(resource.RUSAGE_SELF)
        cpu = used.ru_utime + used.ru_stime
        print(json.dumps({"kept": kept, "seconds": seconds, "cpu": cpu, "peak_gb": peak_resident_gb()}))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"events.{arguments.format}")
        generate(path, rows=arguments.rows)
        print(f"{arguments.rows:,} events, {path.stat().st_size / 1e6:,.0f} MB of {arguments.format}")
        readers = list(READERS) if arguments.format.startswith("csv") else ["trainer"]
        results = {reader: measure(reader, path) for reader in readers}
    ours = results["trainer"]
    print(f"{'':8} {'seconds':>8} {'ratio':>6} {'CPU s':>7} {'ratio':>6} {'peak GB':>8} {'ratio':>6} {'kept':>11}")
    for reader, result in results.items():
        ratio = {name: value / ours[name] for name, value in result.items()}
        print(
            f"{reader:8} {result['seconds']:8.1f} {ratio['seconds']:6.2f} {result['cpu']:7.1f} {ratio['cpu']:6.2f}"
            f" {result['peak_gb']:8.2f} {ratio['peak_gb']:6.2f} {result['kept']:11,}"
        )


if __name__ == "__main__":
    main()
