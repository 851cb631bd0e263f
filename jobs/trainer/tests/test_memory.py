"""What a training holds grows with its input and no faster: peaks of processes that do one step, for two sizes each."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

_READ = """
from trainer.shop_data import event_files, interactions
from trainer.shop_data.mapping import ColumnMapping
path, mapping = Path(sys.argv[1]), ColumnMapping()
reset()
loaded = event_files.load(path, mapping=mapping, quarantine_path=path.with_name("rejected.csv"))
interactions.build(loaded.frame, weights=mapping.event_weights)
"""
_FIT = """
import numpy as np, scipy.sparse as sp
from trainer.models import {model}
from trainer.shop_data.interactions import Interactions
users, items, rng = int(sys.argv[1]), 8_000, np.random.default_rng(0)
entries = np.tile(np.arange(4), users) * 2_000 + rng.integers(2_000, size=4 * users)
weights = sp.csr_matrix((np.ones(4 * users, np.float32), entries, np.arange(0, 4 * users + 1, 4)), (users, items))
known = Interactions([], [], weights, *(np.zeros(0),) * 4, ["view"])
reset()
fitted = {model}.fit(known, {model}.{settings}, seed=0)
"""
_PEAK = """
import sys
from pathlib import Path

def marked(name):
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(name))

def reset():
    global before
    Path("/proc/self/clear_refs").write_text("5")
    before = marked("VmRSS:")

{step}
print(marked("VmHWM:") - before)
"""


def peak_bytes(step: str, argument: str) -> int:
    """Resident memory of a fresh process at its highest, beyond what it had when it began the step."""
    command = [sys.executable, "-c", _PEAK.format(step=step), argument]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # threads would wait for each other on a busy machine
    return int(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)


def test_an_event_costs_a_few_numbers_while_it_is_read_and_weighed(tmp_path: Path) -> None:
    peaks = []
    for events in (400_000, 1_200_000):
        rng, path = np.random.default_rng(0), tmp_path / f"{events}.parquet"
        ids = {name: rng.integers(events // 20, size=events) for name in ("user_id", "item_id")}
        times = np.sort(rng.integers(1_700_000_000, 1_710_000_000, size=events))
        pl.DataFrame({**ids, "event_type": "view", "timestamp": times}).write_parquet(path)
        peaks.append(peak_bytes(_READ, str(path)))
    assert (peaks[1] - peaks[0]) / 800_000 < 450  # bytes; a Python object for each of its fields would be 500


@pytest.mark.parametrize(
    ("model", "settings", "most"),
    [
        ("spectral", "SpectralSettings(dim=256)", 1.6),  # the vectors that it returns, and some rows at a time
        ("ials", "IALSSettings(dim=256, sweeps=1)", 2.7),  # and once more in the eigenbasis while items are solved
    ],
)
def test_a_user_costs_few_vectors_while_a_model_is_fitted(model: str, settings: str, most: float) -> None:
    step = _FIT.format(model=model, settings=settings)
    few, many = (peak_bytes(step, users) for users in ("50000", "150000"))
    assert (many - few) / (100_000 * 256 * 4) < most, (few, many)
