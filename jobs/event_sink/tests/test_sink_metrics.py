"""What the sink tells: how far it is, what the lake holds, and how evenly lists are spread over items."""

import asyncio
from pathlib import Path

import pytest
from lake_in_folder import StreamInMemory
from prometheus_client import CollectorRegistry

from event_sink.coverage import gini
from event_sink.lake_writer import LakeWriter
from event_sink.metrics import ShownLists, SinkMetrics
from event_sink.sink import Sink


@pytest.mark.parametrize(
    ("counts", "expected"),
    [([], 0.0), ([7], 0.0), ([3, 3, 3, 3], 0.0), ([1, 3], 0.25), ([0, 0, 0, 4], 0.75), ([1, 1, 1, 97], 0.72)],
)
def test_gini_of_known_counts(counts: list[int], expected: float) -> None:
    assert gini(counts) == pytest.approx(expected)


def test_gini_over_the_catalogue_follows_from_coverage_as_the_documents_say() -> None:
    shown, catalogue = [1, 2, 5, 9], 10
    coverage = len(shown) / catalogue
    assert 1 - coverage * (1 - gini(shown)) == pytest.approx(gini([0] * (catalogue - len(shown)) + shown))


def test_only_the_latest_lists_count() -> None:
    shown, registry = ShownLists(most_lists=2), CollectorRegistry()
    registry.register(shown)
    for item_ids in (("old", "a"), ("a", "b"), ("a", "c")):
        shown.add(item_ids)
    assert registry.get_sample_value("recsys_shown_lists") == 2
    assert registry.get_sample_value("recsys_shown_items") == 3
    assert registry.get_sample_value("recsys_shown_gini_ratio") == pytest.approx(gini([1, 1, 2]))


async def _turn(stream: StreamInMemory, folder: Path, *, batch: int) -> SinkMetrics:
    writer = LakeWriter(folder / "lake")
    metrics = SinkMetrics(folder / "lake")
    try:
        await Sink(stream, writer, batch=batch, metrics=metrics).turn()  # type: ignore[arg-type] # what it uses of one
    finally:
        writer.close()
    return metrics


def test_a_turn_says_what_was_moved_how_far_the_stream_is_and_what_the_lake_holds(tmp_path: Path) -> None:
    stream = StreamInMemory()
    for number in range(3):
        stream.event(f"e{number}", user="u")
    stream.exposure("l1", user="u")
    stream.merge("s", user="u")
    value = asyncio.run(_turn(stream, tmp_path, batch=4)).registry.get_sample_value

    assert value("recsys_sink_entries_total", {"kind": "event"}) == 3
    assert value("recsys_sink_entries_total", {"kind": "exposure"}) == 1
    assert value("recsys_sink_entries_total", {"kind": "merge"}) == 0  # not yet
    assert (value("recsys_sink_position"), value("recsys_stream_end")) == (4, 5)
    assert value("recsys_shown_items") == 2
    assert value("recsys_lake_rows", {"table": "events"}) == 3
    assert value("recsys_lake_parts", {"table": "exposures"}) == 1
    files = list((tmp_path / "lake").rglob("part-*.parquet"))
    assert value("recsys_lake_bytes") == sum(path.stat().st_size for path in files) > 0
    assert value("recsys_lake_committed_timestamp_seconds") == (tmp_path / "lake/COMMITTED").stat().st_mtime


def test_there_is_no_lake_yet(tmp_path: Path) -> None:
    value = SinkMetrics(tmp_path / "lake").registry.get_sample_value
    assert value("recsys_lake_bytes") is None
    assert value("recsys_sink_position") == 0
