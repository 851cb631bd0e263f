"""How a gRPC process starts, tells its health, and ends.

Servicers come in; a thread-pool server goes out, with standard health (NOT_SERVING until a model is loaded),
reflection, and a drain on SIGTERM.
"""

import logging
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from types import FrameType
from typing import Final

import grpc
from google.protobuf.descriptor import FileDescriptor
from grpc_health.v1 import health, health_pb2_grpc
from grpc_health.v1.health_pb2 import HealthCheckResponse
from grpc_reflection.v1alpha import reflection

from recsys.rpc.interceptor import RpcInterceptor

_log = logging.getLogger(__name__)

_OPTIONS: Final = [
    ("grpc.so_reuseport", 0),  # a second server on the port is an error, not a silent share of the traffic
    # accept the pings of recsys.rpc.channel instead of hanging up on them
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
]

_MOST_HEALTH_WATCHES: Final = 64  # one for each channel of a client that watches; a thread each


@dataclass(frozen=True)
class ServerLimits:
    """What a server lets happen at once, and for how long."""

    worker_threads: int
    maximum_concurrent_rpcs: int  # being answered or waiting; one more is RESOURCE_EXHAUSTED
    default_deadline_s: float  # for a call that came without one
    grace_s: float  # for calls in flight when the server is told to end


def _nothing() -> None:
    """Most workers need no preparation."""


class RpcServer:
    """A gRPC server; every service and the whole are NOT_SERVING until `set_serving`."""

    def __init__(self, limits: ServerLimits, *, prepare_worker: Callable[[], None] = _nothing) -> None:
        """`prepare_worker` runs once in each worker thread, for settings that a library keeps by thread."""
        self._limits = limits
        self._names = [health.OVERALL_HEALTH]
        # not the non-blocking default: there, a client that cancels its watch while a change is being told to another
        # one deadlocks the whole server (grpcio-health-checking 1.85)
        self._health = health.HealthServicer(
            experimental_non_blocking=False,
            experimental_thread_pool=ThreadPoolExecutor(_MOST_HEALTH_WATCHES, thread_name_prefix="health"),
        )
        self._server = grpc.server(
            ThreadPoolExecutor(limits.worker_threads, thread_name_prefix="rpc", initializer=prepare_worker),
            interceptors=[RpcInterceptor(default_deadline_s=limits.default_deadline_s)],
            options=_OPTIONS,
            maximum_concurrent_rpcs=limits.maximum_concurrent_rpcs,
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._set_health(HealthCheckResponse.NOT_SERVING)  # HealthServicer calls the whole SERVING unasked

    def add(self, proto: FileDescriptor, register: Callable[[grpc.Server], None]) -> None:
        """Add the one service that a .proto file of ours defines; `register` adds its servicer."""
        [service] = proto.services_by_name.values()
        register(self._server)
        self._names.append(service.full_name)
        self._set_health(HealthCheckResponse.NOT_SERVING)

    def start(self, *, host: str, port: int) -> int:
        """Listen, and return the port: the system chooses one for 0. Raises: RuntimeError (the port is taken)."""
        reflected = [*self._names[1:], health.SERVICE_NAME, reflection.SERVICE_NAME]
        reflection.enable_server_reflection(reflected, self._server)
        bound = self._server.add_insecure_port(f"{host}:{port}")
        self._server.start()
        _log.info("listening", extra={"host": host, "port": bound})
        return bound

    def set_serving(self) -> None:
        """Tell the world that a model is loaded. Without effect once `drain` has begun."""
        self._set_health(HealthCheckResponse.SERVING)

    def drain(self) -> None:
        """Say NOT_SERVING, take no new calls, and let those in flight end within the grace."""
        _log.info("draining", extra={"grace_s": self._limits.grace_s})
        self._health.enter_graceful_shutdown()
        self._server.stop(self._limits.grace_s).wait()

    def _set_health(self, status: int) -> None:
        for name in self._names:
            self._health.set(name, status)


def end_signals() -> SimpleQueue[int]:
    """A queue that gets SIGTERM and SIGINT from now on. Call it in the main thread, before the server starts."""
    # a handler may interrupt the main thread in `get`: SimpleQueue is made for that, Event and Queue would deadlock
    told: SimpleQueue[int] = SimpleQueue()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        told.put(number)

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    return told
