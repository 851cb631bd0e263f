"""What the gRPC services that answer from an artifact have in common: their settings, and the life of the process.

Settings come in; settings → server → live state → model → answers is what a process does with them, until SIGTERM.
"""

import gc
import logging
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, field_serializer
from pydantic_settings import BaseSettings, SettingsConfigDict

from recsys.artifact.watcher import Watcher
from recsys.feature_store.follower import Follower, LiveState, Part
from recsys.feature_store.opening import without_secrets
from recsys.observability.logging import configure
from recsys.observability.metrics import Metrics, served
from recsys.process import ended_by_a_sentence, read_settings
from recsys.rpc.server import RpcServer, ServerLimits, end_signals
from recsys.rpc.tls import TlsSettings

_log = logging.getLogger(__name__)


class ServiceSettings(TlsSettings, BaseSettings):
    """Read once, by `run`, and passed down."""

    model_config = SettingsConfigDict(hide_input_in_errors=True)  # a wrong address may hold a password

    artifact_dir: Path = Field(description="volume that the trainer publishes on")
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(ge=0, le=65535, description="port to listen on; 0: the system chooses")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="least severe lines to log")
    metrics_host: str = Field("127.0.0.1", description="address of GET /metrics")
    metrics_port: int = Field(0, ge=0, le=65535, description="port of GET /metrics; 0: none")
    feature_store_url: str = Field(
        "",
        pattern="^(sqlite:///.+|valkey://.+)?$",
        repr=False,
        description="the shop's live state; empty: nothing live",
    )
    poll_interval_s: float = Field(0.5, gt=0, description="how often to look for a new version")
    worker_threads: int = Field(8, ge=1, description="requests answered at once")
    maximum_concurrent_rpcs: int = Field(128, ge=1, description="requests answered or waiting; more are refused")
    default_deadline_s: float = Field(2.0, gt=0, description="for a request that came without a deadline")
    grace_s: float = Field(5.0, ge=0, description="for requests in flight when told to end")

    def limits(self) -> ServerLimits:
        """What the server lets happen at once."""
        return ServerLimits(
            worker_threads=self.worker_threads,
            maximum_concurrent_rpcs=self.maximum_concurrent_rpcs,
            default_deadline_s=self.default_deadline_s,
            grace_s=self.grace_s,
        )

    @field_serializer("feature_store_url")
    def _without_password(self, url: str) -> str:
        """Settings are logged."""
        return without_secrets(url)


AnySettings = TypeVar("AnySettings", bound=ServiceSettings)


def run(
    name: str,
    settings_type: type[AnySettings],
    create: Callable[[AnySettings, LiveState, Metrics], tuple[RpcServer, Watcher[Any]]],
    *,
    follows: Collection[Part],
) -> None:
    """Serve until the process is told to end. What it cannot start with ends it at once, with a sentence.

    Of the live state only what it `follows` is read.
    """
    with ended_by_a_sentence():
        settings = read_settings(settings_type)
        configure(service=name, level=settings.log_level)
        _serve(settings, create, follows=follows)


def _serve(
    settings: AnySettings,
    create: Callable[[AnySettings, LiveState, Metrics], tuple[RpcServer, Watcher[Any]]],
    *,
    follows: Collection[Part],
) -> None:
    _log.info("starting", extra={"settings": settings.model_dump(mode="json")})
    told_to_end = end_signals()
    live, metrics = LiveState(), Metrics()
    server, watcher = create(settings, live, metrics)
    with served(metrics.registry, host=settings.metrics_host, port=settings.metrics_port):
        server.start(host=settings.host, port=settings.port)
        follower = Follower(settings.feature_store_url, live, parts=follows) if settings.feature_store_url else None
        if follower is not None:
            follower.start()  # before the model: the first answer knows already what is off sale
        # what is there now stays: the collector need not look through it again, under every request. Models come later:
        # they hold themselves, and only the collector frees one that is replaced
        gc.freeze()
        watcher.start()
        told_to_end.get()
        server.drain()
        watcher.stop()
        if follower is not None:
            follower.stop()
