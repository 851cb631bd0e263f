"""Is the server at this address serving? `python -m recsys.rpc.probe host:port` exits 0 if so, 1 if not.

For the health checks of containers and scripts; it asks `grpc.health.v1` about the server as a whole.
"""

import sys
from typing import Final

import grpc
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from recsys.rpc.channel import open_blocking_channel

_TIMEOUT_S: Final = 2.0


def probe(target: str) -> str:
    """Why the server at `target` is not serving; empty if it is."""
    with open_blocking_channel(target) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            response = stub.Check(HealthCheckRequest(service=""), timeout=_TIMEOUT_S)  # type: ignore[attr-defined] # the stubs leave it out
        except grpc.RpcError as error:
            return f"{target}: {error}"
    if response.status == HealthCheckResponse.SERVING:
        return ""
    return f"{target}: {HealthCheckResponse.ServingStatus.Name(response.status)}"


def main(arguments: list[str]) -> int:
    """Exit status for the address in `arguments`; the reason of a failure goes to stderr."""
    reason = probe(arguments[0]) if len(arguments) == 1 else "usage: python -m recsys.rpc.probe host:port"
    if reason:
        sys.stderr.write(f"{reason}\n")
    return 1 if reason else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
