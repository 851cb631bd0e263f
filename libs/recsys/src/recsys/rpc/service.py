"""What the gRPC services that answer from an artifact have in common: their settings, and the life of the process.

Settings come in; settings → server → live state → model → answers is what a process does with them, until SIGTERM.
"""

import gc
import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from pydantic import Field, field_serializer
from pydantic_settings import BaseSettings, SettingsConfigDict

from recsys.artifact.layout import STORE_PATTERN
from recsys.artifact.manifest import Manifest
from recsys.artifact.model_metrics import LiveModel
from recsys.artifact.reader import Artifact
from recsys.artifact.watcher import Watcher
from recsys.feature_store.follower import Follower, LiveState, Part
from recsys.feature_store.opening import without_secrets
from recsys.observability.logging import configure
from recsys.observability.metrics import Metrics, served
from recsys.observability.trace_export import exported
from recsys.process import ended_where_it_cannot_start, read_settings
from recsys.rpc.method import ServerLimits
from recsys.rpc.model_servicer import ModelServicer
from recsys.rpc.server import RpcServer, end_signals
from recsys.rpc.tls import TlsSettings
from recsys.v1.model_service_pb2_grpc import add_ModelServiceServicer_to_server

if TYPE_CHECKING:
    from recsys.artifact.object_store import ObjectStore

_log = logging.getLogger(__name__)


class ServiceSettings(TlsSettings, BaseSettings):
    """Read once, by `run`, and passed down."""

    model_config = SettingsConfigDict(hide_input_in_errors=True)  # a wrong address may hold a password

    artifact_dir: Path = Field(description="volume that the trainer publishes on")
    artifact_store: str = Field(
        "",
        pattern=STORE_PATTERN,
        description="object store that the trainer publishes in; the volume is then this process's copy",
    )
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(ge=0, le=65535, description="port to listen on; 0: the system chooses")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="least severe lines to log")
    metrics_host: str = Field("127.0.0.1", description="address of GET /metrics")
    metrics_port: int = Field(0, ge=0, le=65535, description="port of GET /metrics; 0: none")
    feature_store_url: str = Field(
        "",
        pattern=r"^(sqlite:///.+|valkey(\+cluster)?://.+)?$",
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


class AnswersModel(Protocol):
    """What a service makes of an artifact, and answers with."""

    @property
    def manifest(self) -> Manifest: ...

    def warm(self) -> None:
        """Answer a few requests, so that nobody else's is the first."""


AnySettings = TypeVar("AnySettings", bound=ServiceSettings)
AnyModel = TypeVar("AnyModel", bound=AnswersModel)


def assemble(
    settings: ServiceSettings,
    metrics: Metrics,
    *,
    load: Callable[[Artifact], AnyModel],
    prepare_worker: Callable[[], None] = lambda: None,
    take_after_s: float = 0.0,
    last_run: Callable[[], Manifest | None] = lambda: None,
) -> tuple[RpcServer, Watcher[AnyModel]]:
    """A watcher that holds what `load` makes of versions, and a server that says which one is live; neither is started.

    The arguments are those of `Watcher`, `RpcServer` and `ModelServicer`. Raises: CertificateError.
    """
    server = RpcServer(settings.limits(), prepare_worker=prepare_worker, metrics=metrics, tls=settings.tls_files())
    watcher = Watcher(
        settings.artifact_dir,
        load=load,
        warm=lambda model: model.warm(),
        poll_interval_s=settings.poll_interval_s,
        take_after_s=take_after_s,
        metrics=metrics.artifact,
        on_loaded=server.set_serving,
    )
    metrics.artifact.follow(LiveModel(watcher))
    server.add(add_ModelServiceServicer_to_server, ModelServicer(watcher, last_run=last_run))
    return server, watcher


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
    with ended_where_it_cannot_start(), ExitStack() as traced:
        settings = read_settings(settings_type)
        configure(service=name, level=settings.log_level)
        _log.info("starting", extra={"settings": settings.model_dump(mode="json")})
        told_to_end = end_signals()
        traced.enter_context(exported(name))
        live, metrics = LiveState(), Metrics()
        server, watcher = create(settings, live, metrics)
        with served(metrics.registry, host=settings.metrics_host, port=settings.metrics_port):
            server.start(host=settings.host, port=settings.port)
            follower = Follower(settings.feature_store_url, live, parts=follows) if settings.feature_store_url else None
            if follower is not None:
                follower.start()  # before the model: the first answer knows already what is off sale
            # what is there now stays: the collector need not look through it again, under every request. Models come
            # later: they hold themselves, and only the collector frees one that is replaced
            gc.freeze()
            watcher.start()
            with _mirrored(settings, metrics):
                told_to_end.get()
                server.drain()
            watcher.stop()
            if follower is not None:
                follower.stop()


def opened_store(settings: ServiceSettings) -> "ObjectStore | None":
    """The object store that the volume follows, if there is one."""
    if not settings.artifact_store:
        return None
    from recsys.artifact.object_store import ObjectStore  # brings a library that others need not load

    return ObjectStore(settings.artifact_store)


@contextmanager
def _mirrored(settings: ServiceSettings, metrics: Metrics) -> Iterator[None]:
    """Within the block the volume follows the object store, if there is one."""
    store = opened_store(settings)
    if store is None:
        yield
        return
    from recsys.artifact.mirror import Mirror

    mirror = Mirror(store, settings.artifact_dir, metrics=metrics.artifact)
    mirror.start()
    try:
        yield
    finally:
        mirror.stop()
