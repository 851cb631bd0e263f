"""What a service tells of the model that it answers with, and of the trainer's last run, with each reading of its page.

A run of the trainer ends before anybody could read a page of its own. So it leaves one on the volume, in the form that
Prometheus' textfile collectors read too, and a service shows it.
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Protocol

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from recsys.artifact import layout
from recsys.artifact.manifest import Manifest
from recsys.artifact.reader import newest_manifest
from recsys.errors import ModelNotLoadedError

_log = logging.getLogger(__name__)

_LIVE: Final = {
    "recsys_model_trained_timestamp_seconds": "When the live model was trained",
    "recsys_model_users": "Users that the live model knows",
    "recsys_model_items": "Items that the live model knows",
    "recsys_model_interactions": "Pairs of user and item that the live model learned from",
    "recsys_model_bytes": "Size of the live model's files",
    "recsys_model_index_recall_ratio": "Share of the exact first 100 that its index found when it was made",
}


class _AnswersModel(Protocol):
    @property
    def manifest(self) -> Manifest: ...


class Holds(Protocol):
    """A watcher."""

    def current(self) -> Any:
        """What has the live version's manifest. Raises: ModelNotLoadedError."""


class LiveModel(Collector):
    """Size and age of the live version; nothing while there is none."""

    def __init__(self, watcher: Holds) -> None:
        self._watcher = watcher

    def collect(self) -> Iterator[Metric]:
        try:
            model: _AnswersModel = self._watcher.current()
        except ModelNotLoadedError:
            return
        manifest = model.manifest
        values = (
            manifest.trained_at.timestamp(),
            manifest.user_count,
            manifest.item_count,
            manifest.interaction_count,
            sum(file.bytes for file in manifest.files.values()),
            manifest.index.recall,
        )
        for (name, text), value in zip(_LIVE.items(), values, strict=True):
            yield GaugeMetricFamily(name, text, value=float(value))


class LastTraining(Collector):
    """The gate's last verdict, and what the last run left in `training.prom`."""

    def __init__(self, volume: Path) -> None:
        self._volume = volume

    def collect(self) -> Iterator[Metric]:
        newest = newest_manifest(self._volume)
        refused = newest is not None and newest.is_refused
        yield GaugeMetricFamily(
            "recsys_training_refused", "1 while the gate's last verdict is a refusal", value=float(refused)
        )
        if newest is not None and newest.training.gate is not None:
            yield GaugeMetricFamily(
                "recsys_training_judging_users",
                "Users by whom the newest version was judged",
                value=float(newest.training.gate.users or 0),
            )
        path = self._volume / layout.TRAINING_METRICS
        try:
            yield from list(text_string_to_metric_families(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            _log.warning("the trainer's metrics cannot be read", extra={"file": str(path), "reason": str(error)})
