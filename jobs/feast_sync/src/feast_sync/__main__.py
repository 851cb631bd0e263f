"""`python -m feast_sync`: item features of a Feast online store into ours, again and again, until SIGTERM.

`python -m feast_sync show --user ID` or `--item ID` prints what Feast says of one.
"""

import argparse
import asyncio
import json
import logging
import sys
from pathlib import Path

from feast_sync.features import FeastFeatures, read_config
from feast_sync.metrics import SyncMetrics
from feast_sync.settings import Settings
from feast_sync.sync import sync_items
from recsys.artifact import layout
from recsys.artifact.reader import open_artifact
from recsys.background import Failures
from recsys.errors import ArtifactError, DataError, StoreUnavailableError
from recsys.feature_store.follower import Following, LiveState
from recsys.feature_store.interface import FeatureStore
from recsys.feature_store.opening import open_store
from recsys.observability.logging import configure
from recsys.observability.metrics import served
from recsys.process import ended_where_it_cannot_start, read_settings, told_to_end, wait_until_told
from recsys.shop.catalogue import LiveCatalogue

_log = logging.getLogger(__name__)


class LiveVersion:
    """The catalogue of the live version. Each version is opened once, which reads and checks all of its files."""

    def __init__(self, artifact_dir: Path, live: LiveState) -> None:
        self._artifact_dir = artifact_dir
        self._live = live
        self._opened: tuple[str, LiveCatalogue] | None = None

    def catalogue(self) -> LiveCatalogue:
        """Of the version that is live now. Raises: ArtifactError."""
        version = layout.current_version(self._artifact_dir)
        if version is None:
            raise ArtifactError(f"no version has been published in {self._artifact_dir} yet")
        if self._opened is None or self._opened[0] != version:
            artifact = open_artifact(layout.version_dir(self._artifact_dir, version))
            self._opened = version, LiveCatalogue(artifact, self._live)
        return self._opened[1]


async def run(settings: Settings, features: FeastFeatures, metrics: SyncMetrics) -> None:
    """Turn until told to end; what fails is logged and tried again."""
    ended = told_to_end()
    store: FeatureStore = open_store(settings.feature_store_url)
    live = LiveState()
    live_version = LiveVersion(settings.artifact_dir, live)
    following = Following(store, live, parts={"items"})
    failures = Failures("feast_sync")
    while not ended.is_set():
        pause_s = settings.interval_s
        try:
            await following.turn()
            metrics.synced(await sync_items(live_version.catalogue(), features, store))
        except (ArtifactError, DataError, StoreUnavailableError) as error:
            _log.warning("not synced; trying again", extra={"reason": str(error)})
        except Exception:
            pause_s = failures.add()
        else:
            failures.clear()
        await wait_until_told(ended, at_most_s=pause_s)
    await store.close()


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", nargs="?", choices=["show"])
    parser.add_argument("--user")
    parser.add_argument("--item")
    arguments = parser.parse_args()
    with ended_where_it_cannot_start():
        settings = read_settings(Settings)
        features = FeastFeatures(read_config(settings.config))
        configure(service="feast_sync", level=settings.log_level)
        if arguments.command == "show":
            users = features.of_users([arguments.user]) if arguments.user else {}
            items = features.of_items([arguments.item]) if arguments.item else {}
            sys.stdout.write(json.dumps({"users": users, "items": items}, indent=2, default=dict) + "\n")
            return
        metrics = SyncMetrics()
        with served(metrics.registry, host=settings.metrics_host, port=settings.metrics_port):
            asyncio.run(run(settings, features, metrics))


if __name__ == "__main__":
    main()
