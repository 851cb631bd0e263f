"""What a run leaves for Prometheus on the volume: `training.prom`, which candidate_gen shows on its page.

A run ends before anybody could read a page of its own. The file is in the text format that node_exporter's textfile
collector takes too, and replaced whole, at the end of each run whatever became of it.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal, get_args

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from recsys import durable_file
from recsys.artifact import layout
from trainer.outcome import Judgement, Outcome

Finished = Outcome[Judgement]
Result = Literal["live", "refused", "failed"]
_QUALITY: Final = ("ndcg@20", "recall@20")


@contextmanager
def written(volume: Path) -> Iterator[Callable[[Finished], Finished]]:
    """Write the file at the end of the block, in which a run hands over its outcome; one that raises has failed."""
    started_s = time.time()
    outcomes: list[Finished] = []

    def told(outcome: Finished) -> Finished:
        outcomes.append(outcome)
        return outcome

    try:
        yield told
    finally:
        outcome = outcomes[-1] if outcomes else None
        volume.mkdir(parents=True, exist_ok=True)
        durable_file.replace(volume / layout.TRAINING_METRICS, _page(outcome, duration_s=time.time() - started_s))


def _page(outcome: Finished | None, *, duration_s: float) -> bytes:
    registry = CollectorRegistry()

    def gauge(name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"recsys_training_{name}", text, labels, registry=registry)

    gauge("last_run_timestamp_seconds", "When the last run of the trainer ended").set_to_current_time()
    gauge("last_run_duration_seconds", "What the last run took, reading its data included").set(duration_s)
    result: Result = "failed" if outcome is None else "live" if outcome.activated else "refused"
    results = gauge("last_run_result", "1 for what became of the last run: live, refused or failed", "result")
    for each in get_args(Result):
        results.labels(each).set(each == result)
    quality = gauge(
        "last_run_quality_ratio", "Held-out quality of the last run's model, and of popularity", "metric", "of"
    )
    if outcome is not None and outcome.judgement is not None:
        for metric in _QUALITY:
            quality.labels(metric, "model").set(outcome.judgement.new.mean(metric))
            quality.labels(metric, "popularity").set(outcome.judgement.popularity.mean(metric))
    return generate_latest(registry)
