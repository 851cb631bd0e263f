"""How a gRPC process starts, tells its health, and ends.

Servicers come in; a thread-pool server goes out, with standard health (NOT_SERVING until a model is loaded),
reflection, and a drain on SIGTERM.
"""

import logging
import signal
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from types import FrameType
from typing import Any, Final, TypeVar

import grpc
from grpc_health.v1 import health, health_pb2_grpc
from grpc_health.v1.health_pb2 import HealthCheckResponse
from grpc_reflection.v1alpha import reflection

from recsys.errors import InvalidArgumentError
from recsys.observability.metrics import Metrics
from recsys.rpc.call_stream_servicer import CallStreamServicer
from recsys.rpc.interceptor import RpcInterceptor
from recsys.rpc.method import Handler, Method, Policy, ServerLimits
from recsys.rpc.requests import MAX_MESSAGE_BYTES
from recsys.rpc.tls import TlsFiles, server_credentials
from recsys.v1.call_stream_service_pb2_grpc import add_CallStreamServiceServicer_to_server

_log = logging.getLogger(__name__)

Servicer = TypeVar("Servicer")

_OPTIONS: Final = [
    ("grpc.so_reuseport", 0),  # a second server on the port is an error, not a silent share of the traffic
    # accept the pings of recsys.rpc.channel instead of hanging up on them
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 2_500),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.bdp_probe", 0),  # as in recsys.rpc.channel
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
]

_MOST_HEALTH_WATCHES: Final = 256  # one for each channel of a client that watches; a thread each
_QUIET_S: Final = 0.1  # no call for so long: all clients that watch the health have heard
_LONGEST_NOTICE_S: Final = 2.0  # for clients that do not
# Calls that grpc lets in beside those that `Workers` count: health watches must not fall to an overload, since a client
# that loses its watch takes the server for a dead one; and refusals, which are told by threads of ours.
_BESIDES: Final = _MOST_HEALTH_WATCHES + 256


class RpcServer:
    """A gRPC server; every service and the whole are NOT_SERVING until `set_serving`."""

    def __init__(
        self,
        limits: ServerLimits,
        *,
        prepare_worker: Callable[[], None] = lambda: None,
        metrics: Metrics | None = None,
        tls: TlsFiles | None = None,
    ) -> None:
        """`prepare_worker` runs once in each worker thread, for settings that a library keeps by thread.

        Without `tls` the server speaks plain text. Raises: CertificateError.
        """
        self._limits = limits
        self._credentials = server_credentials(tls) if tls is not None else None
        self._names = [health.OVERALL_HEALTH]
        # not the non-blocking default: there, a client that cancels its watch while a change is being told to another
        # one deadlocks the whole server (grpcio-health-checking 1.85)
        self._health = health.HealthServicer(
            experimental_non_blocking=False,
            experimental_thread_pool=ThreadPoolExecutor(_MOST_HEALTH_WATCHES, thread_name_prefix="health"),
        )
        self._policy = policy = Policy(limits, (metrics or Metrics()).rpc, prepare_worker=prepare_worker)
        self._methods: dict[str, Method] = {}
        self._server = grpc.server(
            policy.workers,
            interceptors=[RpcInterceptor(policy, self._methods)],
            options=[*_OPTIONS, ("grpc.max_connection_age_ms", int(limits.connection_age_s * 1000))],
            maximum_concurrent_rpcs=limits.maximum_concurrent_rpcs
            + limits.call_stream_threads
            + limits.stream_threads
            + _BESIDES,
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._call_streams = CallStreamServicer(self._methods)
        self.add(add_CallStreamServiceServicer_to_server, self._call_streams)
        self._set_health(HealthCheckResponse.NOT_SERVING)  # HealthServicer calls the whole SERVING unasked

    def add(self, register: Callable[[Servicer, Any], None], servicer: Servicer) -> None:
        """Answer the calls of a service of ours; `register` is its generated `add_…Servicer_to_server`."""
        register(servicer, self)
        self._set_health(HealthCheckResponse.NOT_SERVING)

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Called by generated code, as the next one."""
        self._server.add_generic_rpc_handlers(generic_rpc_handlers)

    def add_registered_method_handlers(self, service_name: str, method_handlers: dict[str, Handler]) -> None:
        """Keep the handlers by the full names of their methods, for calls of both kinds."""
        self._server.add_registered_method_handlers(service_name, method_handlers)
        names = {f"/{service_name}/{short}": handler for short, handler in method_handlers.items()}
        self._methods |= {name: Method(name, handler, self._policy) for name, handler in names.items()}
        self._names.append(service_name)

    def start(self, *, host: str, port: int) -> int:
        """Listen, and return the port: the system chooses one for 0. Raises: InvalidArgumentError (it is taken)."""
        reflected = [*self._names[1:], health.SERVICE_NAME, reflection.SERVICE_NAME]
        reflection.enable_server_reflection(reflected, self._server)
        bound = bind(self._server, f"{host}:{port}", self._credentials)
        self._server.start()
        _log.info("listening", extra={"host": host, "port": bound, "tls": self._credentials is not None})
        return bound

    def set_serving(self) -> None:
        """Tell the world that a model is loaded. Without effect once `drain` has begun."""
        self._set_health(HealthCheckResponse.SERVING)

    def drain(self) -> None:
        """Say NOT_SERVING, wait until clients have heard it, and let the calls in flight end within the grace."""
        _log.info("draining", extra={"grace_s": self._limits.grace_s})
        self._health.enter_graceful_shutdown()
        self._call_streams.end()
        self._wait_until_no_call_comes()
        self._server.stop(self._limits.grace_s).wait()

    def _wait_until_no_call_comes(self) -> None:
        # grpc cancels calls that arrived when it is told to stop and that it has not yet handed to Python: a client
        # does not try these again
        for _ in range(round(_LONGEST_NOTICE_S / _QUIET_S)):
            before = self._arrived()
            threading.Event().wait(_QUIET_S)
            if self._arrived() == before:
                return

    def _arrived(self) -> int:
        return self._policy.workers.arrived + self._policy.stream_workers.arrived + self._call_streams.arrived

    def _set_health(self, status: int) -> None:
        for name in self._names:
            self._health.set(name, status)


def bind(server: grpc.Server | grpc.aio.Server, address: str, credentials: grpc.ServerCredentials | None) -> int:
    """Have a server listen, and return the port; without credentials in plain text. Raises: InvalidArgumentError."""
    try:
        if credentials is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise InvalidArgumentError(
            f"expected a free address to listen on, found {address}, which is taken or none of this machine"
        ) from error


def end_signals() -> SimpleQueue[int]:
    """A queue that gets SIGTERM and SIGINT from now on. Call it in the main thread, before the server starts."""
    # a handler may interrupt the main thread in `get`: SimpleQueue is made for that, Event and Queue would deadlock
    told: SimpleQueue[int] = SimpleQueue()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        told.put(number)

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    return told
