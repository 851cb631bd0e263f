"""The gRPC server of the gateway, in the event loop that answers HTTP: each call through the application, and back.

Bytes come in and go out, so that a request that cannot be read is an error like any other.
"""

from __future__ import annotations  # grpc's classes are generic to the type checker only

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from starlette.types import ASGIApp

from gateway.rpc.operations import OPERATIONS, Asked, Operation
from gateway.rpc.statuses import status_of
from gateway.rpc.within import Answer, ask
from recsys.errors import InvalidArgumentError
from recsys.observability.logging import REQUEST_ID_KEY
from recsys.rpc.server import bind
from recsys.rpc.status import INTERNAL_ERROR
from recsys.rpc.status import status_of as status_of_error
from recsys.rpc.tls import TlsFiles, server_credentials

SERVICE: Final = "recsys.v1.RecommendationService"
_BESIDES: Final = 256  # health watches, and calls that the application's admission is to refuse in its own words
_OPTIONS: Final = [
    ("grpc.so_reuseport", 0),  # a second server on the port is an error, not a silent share of the traffic
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 2_500),
    ("grpc.keepalive_permit_without_calls", 1),
    # a client asks the name service again when its connection ends: so soon an added gateway gets its share
    ("grpc.max_connection_age_ms", 60_000),
    ("grpc.max_connection_age_grace_ms", 30_000),
]

Context = grpc.aio.ServicerContext

logger = logging.getLogger(__name__)


class GrpcServer:
    """Answers `RecommendationService`, standard health (SERVING while the process takes calls) and reflection."""

    def __init__(self, app: ASGIApp, *, tls: TlsFiles | None, max_bytes: int, max_in_flight: int) -> None:
        """Without `tls` in plain text; `max_bytes` is of a request. Raises: CertificateError."""
        self._app = app
        self._credentials = server_credentials(tls) if tls is not None else None
        self._running: set[asyncio.Future[Answer]] = set()
        self._health = health.aio.HealthServicer()
        self._server = grpc.aio.server(
            options=[*_OPTIONS, ("grpc.max_receive_message_length", max_bytes)],
            maximum_concurrent_rpcs=max_in_flight + _BESIDES,
        )
        handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
            name: grpc.unary_unary_rpc_method_handler(self._answers(f"/{SERVICE}/{name}", operation))
            for name, operation in OPERATIONS.items()
        }
        self._server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, handlers)])
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)

    async def start(self, *, host: str, port: int) -> int:
        """Listen, and return the port: the system chooses one for 0. Raises: InvalidArgumentError (it is taken)."""
        bound = bind(self._server, f"{host}:{port}", self._credentials)
        await self._health.set(SERVICE, health_pb2.HealthCheckResponse.SERVING)
        await self._server.start()
        logger.info("gRPC: listening", extra={"host": host, "port": bound, "tls": self._credentials is not None})
        return bound

    async def stop(self, *, grace_s: float) -> None:
        """Say NOT_SERVING, take no more calls, and let those in flight end within the grace."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_s)
        if self._running:  # of callers who have gone away
            await asyncio.wait(self._running, timeout=grace_s)

    def _answers(self, method: str, operation: Operation) -> Callable[[bytes, Any], Awaitable[bytes]]:
        async def answer(raw: bytes, context: Context[bytes, bytes]) -> bytes:
            answered = await self._answered(method, operation, raw, context)
            if isinstance(answered, grpc.Status):
                trailing = (*(answered.trailing_metadata or ()), *(context.trailing_metadata() or ()))
                await context.abort(answered.code, answered.details, trailing)
            return answered

        return answer

    async def _answered(
        self, method: str, operation: Operation, raw: bytes, context: Context[bytes, bytes]
    ) -> bytes | grpc.Status:
        """The answer's bytes, or the status of a refusal."""
        try:
            asked = _read(operation, raw)
            answer = await self._ask(method, asked, context)
            request_id = answer.headers.get(REQUEST_ID_KEY.encode(), b"").decode()
            context.set_trailing_metadata(((REQUEST_ID_KEY, request_id),))
            if answer.status >= 400 or not answer.status:
                return status_of(answer) if answer.status else INTERNAL_ERROR
            return operation.answer(answer.body).SerializeToString()
        except InvalidArgumentError as error:
            return status_of_error(error)
        except Exception:  # the edge: a bug is logged in full here, and told to nobody outside
            logger.exception("unexpected error", extra={"method": method})
            return INTERNAL_ERROR

    async def _ask(self, method: str, asked: Asked, context: Context[bytes, bytes]) -> Answer:
        """To its end also where the caller goes away, as over HTTP: what is being stored is stored."""
        metadata = context.invocation_metadata() or ()
        running = asyncio.ensure_future(
            ask(self._app, asked, rpc_method=method, metadata=[(str(name), value) for name, value in metadata])
        )
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        return await asyncio.shield(running)


def _read(operation: Operation, raw: bytes) -> Asked:
    """Raises: InvalidArgumentError."""
    try:
        return operation.asked(operation.request.FromString(raw))
    except DecodeError:  # its text is of the parser's making, and says nothing to a caller
        name = operation.request.DESCRIPTOR.name
        raise InvalidArgumentError(f"expected the message {name}, found other bytes") from None
