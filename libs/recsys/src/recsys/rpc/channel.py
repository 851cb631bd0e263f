"""How a process reaches a gRPC service: one channel for each process and target.

`host:port` names a service, whose replicas are all addresses that the name service knows for the host. Calls go to
each in turn, except to those that say NOT_SERVING. A call that fails with UNAVAILABLE, and no other, is tried again
within its deadline, on another replica if there is one: every method of ours is idempotent. The deadline is the
caller's to give, on every call.
"""

import json
from typing import Final, TypeVar

import grpc

from recsys.observability import tracing
from recsys.observability.logging import REQUEST_ID_KEY, request_id
from recsys.rpc.requests import MAX_MESSAGE_BYTES
from recsys.rpc.tls import TlsFiles, channel_credentials

Request = TypeVar("Request")
Response = TypeVar("Response")

_SERVICE_CONFIG: Final = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            "name": [{}],  # every method
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.02s",
                "maxBackoff": "0.2s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
    # The budget: a failure takes a token, a success gives back a tenth, and below half of them nothing is tried again.
    # So a replica may die under 500 calls in flight, and a service that fails as a whole sees a tenth more calls.
    "retryThrottling": {"maxTokens": 1000, "tokenRatio": 0.1},
}
_HEALTH_CHECKED: Final = _SERVICE_CONFIG | {"healthCheckConfig": {"serviceName": ""}}
_OPTIONS: Final = [
    # a replica that hangs, or whose machine is gone, says nothing: it is given up when it answers no ping; grpc sends
    # some with the data, and waits a minute for these unless it is told
    ("grpc.keepalive_time_ms", 5_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.http2.ping_timeout_ms", 3_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    # a service that was restarted is found again in a second, not in grpc's two minutes
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # servers end their connections from time to time, and with each the name service is asked again, but not more often
    ("grpc.dns_min_time_between_resolutions_ms", 1_000),
    ("grpc.http2.bdp_probe", 0),  # it pings with the data to learn how far away the other end is
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
]


def open_channel(target: str, *, tls: TlsFiles | None = None, server_name: str = "") -> grpc.aio.Channel:
    """An asyncio channel to the replicas of a service. It connects by itself, and again after a break.

    `server_name` is what a server's certificate is for, if not the target's host. Raises: CertificateError.
    """
    options = _options(_HEALTH_CHECKED, server_name)
    if tls is None:
        return grpc.aio.insecure_channel(target, options=options)
    return grpc.aio.secure_channel(target, channel_credentials(tls), options=options)


def open_blocking_channel(
    target: str, *, tls: TlsFiles | None = None, server_name: str = "", health_checked: bool = False
) -> grpc.Channel:
    """The same for threads and scripts. These want to see a server that is NOT_SERVING, unless `health_checked`."""
    options = _options(_HEALTH_CHECKED if health_checked else _SERVICE_CONFIG, server_name)
    if tls is None:
        return grpc.insecure_channel(target, options=options)
    return grpc.secure_channel(target, channel_credentials(tls), options=options)


async def call_unary(
    method: "grpc.aio.UnaryUnaryMultiCallable[Request, Response]", request: Request, *, timeout_s: float
) -> Response:
    """One call, under the id of the request that it is made for. Raises: grpc.aio.AioRpcError."""
    metadata = [(REQUEST_ID_KEY, request_id.get())]
    if parent := tracing.traceparent():
        metadata.append((tracing.TRACEPARENT, parent))
    return await method(request, timeout=timeout_s, metadata=metadata)


def _options(service_config: dict[str, object], server_name: str) -> list[tuple[str, str | int]]:
    name = [("grpc.ssl_target_name_override", server_name)] if server_name else []
    return [*_OPTIONS, ("grpc.service_config", json.dumps(service_config)), *name]
