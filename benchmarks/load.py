"""Load on loopback addresses by wrk, and what the serving processes spend on it."""

import json
import os
import random
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

# Each of wrk's threads asks one address, for users drawn at random. `done` is called once, in the end; latencies are
# microseconds.
_SCRIPT: Final = """
local addresses = {{{addresses}}}
local threads = 0
setup = function(thread)
  threads = threads + 1
  thread.addr = wrk.lookup(addresses[threads][1], addresses[threads][2])[1]
  thread:set("seed", {seed} + threads)
end
init = function()
  math.randomseed(seed)
end
request = function()
  local user = string.format("u%08d", math.random(0, {users} - 1))
  if math.random() >= {filtered} then
    return wrk.format("GET", "/v1/users/" .. user .. "/recommendations?count=10")
  end
  local filter = string.format('{{"max_price": %d}}', math.random(5, 20))
  if math.random() < 0.5 then
    filter = string.format('{{"categories": ["category-%d"]}}', math.random(0, {categories} - 1))
  end
  local body = string.format('{{"user_id": "%s", "count": 10, "filter": %s}}', user, filter)
  return wrk.format("POST", "/v1/recommendations", {{["Content-Type"] = "application/json"}}, body)
end
done = function(summary, latency, requests)
  local failed = summary.errors.status + summary.errors.connect + summary.errors.read
    + summary.errors.write + summary.errors.timeout
  io.write(string.format("\\nJSON {{\\"requests\\": %d, \\"failed\\": %d, \\"seconds\\": %f, \\"p50_us\\": %f, "
    .. "\\"p95_us\\": %f, \\"p99_us\\": %f}}\\n", summary.requests, failed, summary.duration / 1e6,
    latency:percentile(50), latency:percentile(95), latency:percentile(99)))
end
"""


def machine() -> str:
    """Its processor (Linux)."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return f"{next(named, 'unknown processor')}, {os.cpu_count()} cores"


@dataclass(frozen=True, kw_only=True)
class Requests:
    """What is asked: ten items for one of the users, drawn at random."""

    users: int
    filtered: float = 0.0  # the share that has a filter, by category or by price
    categories: int = 1

    def draw(self, rng: random.Random) -> tuple[str, str, str]:
        """Method, path and body of one of them, as the script above draws them."""
        user = f"u{rng.randrange(self.users):08d}"
        if rng.random() >= self.filtered:
            return "GET", f"/v1/users/{user}/recommendations?count=10", ""
        only = f'{{"max_price": {rng.randint(5, 20)}}}'
        if rng.random() < 0.5:
            only = f'{{"categories": ["category-{rng.randrange(self.categories)}"]}}'
        return "POST", "/v1/recommendations", f'{{"user_id": "{user}", "count": 10, "filter": {only}}}'


@dataclass(frozen=True, kw_only=True)
class Load:
    """What one run of wrk measured."""

    failed: int
    per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu_ms: Mapping[str, float]  # a request, by the serving process's name
    switches: float  # of context a request, of all of them


def run(
    addresses: Sequence[tuple[str, int]],
    requests: Requests,
    *,
    pids: Mapping[str, int],
    connections: int,
    seconds: float,
    seed: int,
) -> Load:
    """Ask the addresses for `seconds`; `pids` are the processes that serve them, by name."""
    listed = ", ".join(f'{{"{host}", {port}}}' for host, port in addresses)
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_SCRIPT.format(addresses=listed, seed=seed, **vars(requests)))
        script.flush()
        host, port = addresses[0]
        command = [
            *("wrk", f"-t{len(addresses)}", f"-c{connections}", f"-d{seconds}s", "--timeout", "5s"),
            *("-s", script.name, f"http://{host}:{port}"),
        ]
        cpu_before, switches_before = _cpu_s_each(pids), context_switches(list(pids.values()))
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        switches = context_switches(list(pids.values())) - switches_before
        cpu_after = _cpu_s_each(pids)
    figures = json.loads(output.rpartition("JSON ")[2])
    answered = max(figures["requests"], 1)
    return Load(
        failed=figures["failed"],
        per_s=figures["requests"] / figures["seconds"],
        p50_ms=figures["p50_us"] / 1e3,
        p95_ms=figures["p95_us"] / 1e3,
        p99_ms=figures["p99_us"] / 1e3,
        cpu_ms={name: (cpu_after[name] - before) / answered * 1e3 for name, before in cpu_before.items()},
        switches=switches / answered,
    )


def median_of(runs: Sequence[Load]) -> Load:
    """The median of each figure; all failures."""
    return Load(
        failed=sum(each.failed for each in runs),
        per_s=median(each.per_s for each in runs),
        p50_ms=median(each.p50_ms for each in runs),
        p95_ms=median(each.p95_ms for each in runs),
        p99_ms=median(each.p99_ms for each in runs),
        cpu_ms={name: median(each.cpu_ms[name] for each in runs) for name in runs[0].cpu_ms},
        switches=median(each.switches for each in runs),
    )


def _cpu_s_each(pids: Mapping[str, int]) -> dict[str, float]:
    return {name: cpu_s([pid]) for name, pid in pids.items()}


def cpu_s(pids: Sequence[int]) -> float:
    """Processor time that the processes and all their descendants have had so far."""
    ticks = os.sysconf("SC_CLK_TCK")
    total = 0.0
    for pid in with_children(pids):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        total += (int(fields[11]) + int(fields[12])) / ticks
    return total


def context_switches(pids: Sequence[int]) -> int:
    """Of the threads that the processes and their descendants have now, voluntary or not."""
    total = 0
    for pid in with_children(pids):
        for status in Path(f"/proc/{pid}/task").glob("*/status"):
            lines = status.read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)
    return total


def memory_mb(pids: Sequence[int]) -> tuple[float, float]:
    """Resident memory of the processes and their descendants, and what of it is their own (not mapped from files)."""
    return _memory_mb(pids, "Rss:"), _memory_mb(pids, "Anonymous:")


def memory_together_mb(pids: Sequence[int]) -> float:
    """What the processes and their descendants take of the machine: what they share counts once."""
    return _memory_mb(pids, "Pss:")


def _memory_mb(pids: Sequence[int], kind: str) -> float:
    total = 0
    for pid in with_children(pids):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith(kind))
    return total / 1024


def with_children(pids: Sequence[int]) -> list[int]:
    """The processes and all their descendants."""
    found = list(pids)
    for pid in found:
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found
