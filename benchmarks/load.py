"""Load on a loopback address by wrk, and what the serving processes spend on it."""

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# Users drawn at random, seeded alike in every run; wrk calls `done` once at the end. Latencies are microseconds.
_SCRIPT = """
math.randomseed(7)
local users = {users}
request = function()
  return wrk.format("GET", string.format("{path}", math.random(0, users - 1)))
end
done = function(summary, latency, requests)
  local failed = summary.errors.status + summary.errors.connect + summary.errors.read
    + summary.errors.write + summary.errors.timeout
  io.write(string.format("\\nJSON {{\\"requests\\": %d, \\"failed\\": %d, \\"seconds\\": %f, \\"p50_us\\": %f, "
    .. "\\"p95_us\\": %f, \\"p99_us\\": %f}}\\n", summary.requests, failed, summary.duration / 1e6,
    latency:percentile(50), latency:percentile(95), latency:percentile(99)))
end
"""


@dataclass(frozen=True)
class Load:
    """What one run of wrk measured."""

    requests: int
    failed: int
    per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu_ms: float  # of the serving processes, a request


def run(url: str, path: str, *, pids: Sequence[int], users: int, connections: int, seconds: int) -> Load:
    """Ask `url` + `path` (with one %d… for a user's number) for `seconds`; `pids` are the processes that serve it."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_SCRIPT.format(users=users, path=path))
        script.flush()
        before = cpu_s(pids)
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "5s", "-s", script.name, url]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        spent = cpu_s(pids) - before
    figures = json.loads(output.rpartition("JSON ")[2])
    return Load(
        requests=figures["requests"],
        failed=figures["failed"],
        per_s=figures["requests"] / figures["seconds"],
        p50_ms=figures["p50_us"] / 1e3,
        p95_ms=figures["p95_us"] / 1e3,
        p99_ms=figures["p99_us"] / 1e3,
        cpu_ms=spent / max(figures["requests"], 1) * 1e3,
    )


def cpu_s(pids: Sequence[int]) -> float:
    """Processor time that the processes and all their descendants have had so far."""
    ticks = os.sysconf("SC_CLK_TCK")
    total = 0.0
    for pid in with_children(pids):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        total += (int(fields[11]) + int(fields[12])) / ticks
    return total


def memory_mb(pids: Sequence[int]) -> tuple[float, float]:
    """Resident memory of the processes and their descendants, and what of it is their own (not mapped from files)."""
    resident = own = 0
    for pid in with_children(pids):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        sizes = {line.split()[0]: int(line.split()[1]) for line in lines[1:]}
        resident += sizes["Rss:"]
        own += sizes["Anonymous:"]
    return resident / 1024, own / 1024


def with_children(pids: Sequence[int]) -> list[int]:
    """The processes and all their descendants."""
    found = list(pids)
    for pid in found:
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found
