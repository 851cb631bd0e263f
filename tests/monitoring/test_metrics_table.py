"""docs/metrics.md says what the processes tell, no more and no less, and every metric of it gets a sample."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import pytest
from prometheus_client import Metric, generate_latest
from watched_system import Watched, break_keys, families, name_no_version, value_of, write_keys

from feast_sync.metrics import SyncMetrics
from recsys import watched_file
from recsys.artifact.mirror import Mirror
from recsys.artifact.object_store import ObjectStore
from recsys.observability.metrics import Metrics, store_latency

ROOT = Path(__file__).resolve().parents[2]
PROCESSES = ("gateway", "candidate_gen", "reranker", "event_sink", "feast_sync", "ui")
NOT_HERE = "ui"  # another Python: services/ui/tests/test_metrics.py reads the same rows


class Row(NamedTuple):
    """What the table says of one metric on one process."""

    process: str
    metric: str
    type: str
    labels: frozenset[str]


def table() -> list[Row]:
    text = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| `(recsys_\w+)` \| (\w+) \|([^|]*)\|([^|]*)\|", text, flags=re.MULTILINE)
    return [
        Row(process, name, kind, frozenset(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels, of in cells
        for process in of.strip().split(", ")
    ]


def rows(process: str, page: dict[str, Metric]) -> set[Row]:
    """What a page says itself."""
    found = set()
    for name, family in page.items():
        labels = {label for one in family.samples for label in one.labels} - {"le"}
        found.add(Row(process, name, family.type, frozenset(labels)))
    return found


@pytest.fixture(scope="module")
def told(system: Watched, tmp_path_factory: pytest.TempPathFactory) -> set[Row]:
    """What all processes tell, faults among it."""
    break_keys(system)
    live = (system.volume / "CURRENT").read_text()
    name_no_version(system)
    try:
        for process in ("candidate_gen", "reranker"):
            system.wait_for(process, "recsys_artifact_refused")
        system.wait_for("gateway", "recsys_settings_file_refused", lambda family: value_of(family) > 0)
        found = {row for process in system.ports if process != NOT_HERE for row in rows(process, system.page(process))}
    finally:
        write_keys(system.keys)
        (system.volume / "CURRENT").write_text(live)
    system.wait_for("gateway", "recsys_settings_file_refused", lambda family: value_of(family) == 0)
    folder = tmp_path_factory.mktemp("no-store")
    return found | _of_an_object_store_that_is_not_there(folder) | _of_feast_sync()


def _of_an_object_store_that_is_not_there(folder: Path) -> set[Row]:
    """The processes above share a disk: both services follow a store with the same code."""
    metrics = Metrics()
    (folder / "volume").mkdir()
    (folder / "store").write_text("a file where a folder should be")
    Mirror(ObjectStore(f"file://{folder}/store"), folder / "volume", metrics=metrics.artifact).turn()
    page = families(generate_latest(metrics.registry).decode())
    failing = {name: family for name, family in page.items() if name.startswith("recsys_artifact_store_")}
    assert len(failing) == 2
    return {row for process in ("candidate_gen", "reranker") for row in rows(process, failing)}


def _of_feast_sync() -> set[Row]:
    """Its process needs a Feast repository; the store's latency and the loop are the library's, as in the others."""
    metrics = SyncMetrics()
    metrics.synced(1)
    store_latency.labels("change_items", "ok").observe(0.001)
    with patch.dict(watched_file.refused, clear=True):  # files that other tests of this process have watched
        return rows("feast_sync", families(generate_latest(metrics.registry).decode()))


def test_what_the_processes_tell_is_in_the_table(told: set[Row]) -> None:
    assert sorted(told - set(table())) == []


def test_every_metric_of_the_table_gets_a_sample_on_every_process_that_it_is_said_to_be_of(told: set[Row]) -> None:
    expected = {row for row in table() if row.process != NOT_HERE}
    loop = next(row for row in expected if row.metric == "recsys_background_failures_total")
    assert sorted(expected - told - {loop._replace(process="feast_sync")}) == []


def test_the_table_names_each_metric_once_and_only_processes_that_there_are() -> None:
    names = [(row.process, row.metric) for row in table()]
    assert len(names) == len(set(names)) > 60
    assert {row.process for row in table()} == set(PROCESSES)


def test_names_are_as_prometheus_has_them() -> None:
    for row in table():
        assert row.metric.endswith("_total") == (row.type == "counter"), row.metric
        assert row.type != "histogram" or row.metric.endswith("_seconds"), row.metric
        assert not re.search(r"_(ms|millis|kb|mb|percent|minutes)\b", row.metric)


def words(text: str) -> Iterator[str]:
    yield from re.findall(r"\brecsys_\w+", text)


def test_other_documents_name_only_metrics_of_the_table() -> None:
    known = {row.metric for row in table()}
    known |= {f"{name}_{part}" for name in known for part in ("bucket", "count", "sum")}
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "services").glob("*/README.md")]:
        unknown = {name for name in words(path.read_text(encoding="utf-8")) if name.removesuffix("_") not in known}
        assert {
            name for name in unknown if not name.startswith(("recsys_client", "recsys_grpc", "recsys_lane"))
        } == set(), path
