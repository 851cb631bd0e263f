"""How a process reaches a gRPC service: one channel for each process and target.

A call that fails with UNAVAILABLE, and no other, is tried again within its deadline: every method of ours is
idempotent. The deadline is the caller's to give, on every call.
"""

import json
from typing import Final

import grpc

_SERVICE_CONFIG: Final = {
    "methodConfig": [
        {
            "name": [{}],  # every method
            "retryPolicy": {
                "maxAttempts": 3,
                "initialBackoff": "0.02s",
                "maxBackoff": "0.2s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}
_OPTIONS: Final = [
    ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    # a service that was restarted is found again in a second, not in grpc's two minutes
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
]


def open_channel(target: str) -> grpc.aio.Channel:
    """An asyncio channel to `host:port`. It connects by itself, and again after a break."""
    return grpc.aio.insecure_channel(target, options=_OPTIONS)


def open_blocking_channel(target: str) -> grpc.Channel:
    """The same for threads and scripts."""
    return grpc.insecure_channel(target, options=_OPTIONS)
