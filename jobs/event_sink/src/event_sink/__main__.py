"""`python -m event_sink`: settings → lake → turns, until SIGTERM. `--once`: until the stream is empty.

`--check` ends with status 0 if a sink has reached store and lake within the last minute: a container's health.
`report` prints the experiments' sums, worked out of the whole lake by the metrics of now; a sink may run meanwhile.
"""

import asyncio
import logging
import sys
import time
from typing import Final

from event_sink import sums
from event_sink.lake_writer import LakeWriter, last_touched
from event_sink.metrics import SinkMetrics
from event_sink.reporting import Reporting, metrics_in
from event_sink.settings import Settings
from event_sink.sink import Sink
from recsys.background import Failures
from recsys.errors import RecsysError, StoreUnavailableError
from recsys.exit_status import Status
from recsys.experiments import Sums
from recsys.feature_store.interface import FeatureStore
from recsys.feature_store.opening import open_store
from recsys.lake import Table, lake_dir
from recsys.observability.logging import configure
from recsys.observability.metrics import served
from recsys.process import ended_where_it_cannot_start, read_settings, told_to_end, wait_until_told

_log = logging.getLogger(__name__)

_HEALTHY_WITHIN_S: Final = 60.0


async def run(settings: Settings, *, once: bool) -> None:
    """Move entries until told to end; what passes (an unavailable store, a full disk) is waited for, unless `once`."""
    store = open_store(settings.feature_store_url)
    metrics = SinkMetrics(lake_dir(settings.artifact_dir))
    try:
        with served(metrics.registry, host=settings.metrics_host, port=settings.metrics_port):
            await _until_ended(settings, store, metrics, once=once)
    finally:
        await store.close()


async def _until_ended(settings: Settings, store: FeatureStore, metrics: SinkMetrics, *, once: bool) -> None:
    ended = told_to_end()
    failures = Failures("event_sink")
    while not ended.is_set():
        pause_s = settings.interval_s
        try:
            await _turns(settings, store, ended, metrics, once=once)
            return
        except (StoreUnavailableError, OSError) as error:
            if once:
                raise
            _log.warning("waiting", extra={"error": str(error)})
            failures.clear()
        except Exception as error:
            if once or isinstance(error, RecsysError):
                raise
            pause_s = failures.add()
        await wait_until_told(ended, at_most_s=pause_s)


async def _turns(
    settings: Settings, store: FeatureStore, ended: asyncio.Event, metrics: SinkMetrics, *, once: bool
) -> None:
    """Take the lake, as an earlier process or turn left it, and work on it until told to end or something passes."""
    writer = LakeWriter(lake_dir(settings.artifact_dir))
    try:
        sink = Sink(store, writer, batch=settings.batch, keep_days=_keep_days(settings), metrics=metrics)
        reporting = Reporting(store, writer.path, rules=_rules(settings), interval_s=settings.interval_s)
        await sink.recover()
        _log.info("started", extra={"sequence": writer.committed.sequence, "parts": len(writer.committed.parts)})
        while not ended.is_set():
            as_of_ms = time.time_ns() // 1_000_000
            if await sink.turn():
                continue
            await reporting.turn(sequence=writer.committed.sequence, as_of_ms=as_of_ms)
            if once:
                return
            await wait_until_told(ended, at_most_s=settings.interval_s)
    finally:
        writer.close()


async def report(settings: Settings) -> str:
    """The experiments' sums as JSON. Raises: StoreUnavailableError, DataError."""
    lake = lake_dir(settings.artifact_dir)
    store = open_store(settings.feature_store_url)
    try:
        found = sums.of_lake(lake, await metrics_in(store), _rules(settings))
    finally:
        await store.close()
    return Sums(as_of_ms=round(last_touched(lake) * 1000), experiments=found).model_dump_json(indent=1)


def _rules(settings: Settings) -> sums.Rules:
    return sums.Rules(click_days=settings.click_window_days, clock_skew_s=settings.clock_skew_s)


def _keep_days(settings: Settings) -> dict[Table, int]:
    """Of tables whose rows are not kept for ever, how long they are."""
    days: dict[Table, int] = {"events": settings.keep_events_days, "exposures": settings.keep_exposures_days}
    return {table: kept for table, kept in days.items() if kept}


def _check(settings: Settings) -> int:
    try:
        age_s = time.time() - last_touched(lake_dir(settings.artifact_dir))
    except OSError:
        return 1
    return 0 if age_s < _HEALTHY_WITHIN_S + settings.interval_s else 1


def main() -> None:
    with ended_where_it_cannot_start():
        settings = read_settings(Settings)
    if "--check" in sys.argv[1:]:
        sys.exit(_check(settings))
    configure(service="event_sink", level=settings.log_level)
    try:
        if "report" in sys.argv[1:]:
            sys.stdout.write(asyncio.run(report(settings)) + "\n")
        else:
            asyncio.run(run(settings, once="--once" in sys.argv[1:]))
    except (RecsysError, OSError) as error:
        _log.error("ended", extra={"error": str(error)})
        sys.exit(Status.CANNOT)


if __name__ == "__main__":
    main()
