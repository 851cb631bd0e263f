"""Is the server at this address serving? `python -m recsys.rpc.probe host:port` exits 0 if so, 1 if not.

For the health checks of containers and scripts; it asks `grpc.health.v1` about the server as a whole. With `--ca`,
`--certificate` and `--key` it asks a server that speaks TLS; `--server-name` is the name in that server's certificate.
"""

import argparse
import sys
from pathlib import Path
from typing import Final

import grpc
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from recsys.errors import CertificateError
from recsys.rpc.channel import open_blocking_channel
from recsys.rpc.tls import TlsFiles

_TIMEOUT_S: Final = 2.0


def probe(target: str, *, tls: TlsFiles | None = None, server_name: str = "") -> str:
    """Why the server at `target` is not serving; empty if it is. Raises: CertificateError."""
    with open_blocking_channel(target, tls=tls, server_name=server_name) as channel:
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
    parser = argparse.ArgumentParser(prog="python -m recsys.rpc.probe", description="Is this gRPC server serving?")
    parser.add_argument("target", help="host:port")
    for name in ("ca", "certificate", "key"):
        parser.add_argument(f"--{name}", type=Path, help="PEM file")
    parser.add_argument("--server-name", default="", help="the name in the server's certificate, if not the host")
    given = parser.parse_args(arguments)
    files = TlsFiles(certificate=given.certificate, key=given.key, ca=given.ca)
    try:
        reason = probe(given.target, tls=None if files == TlsFiles() else files, server_name=given.server_name)
    except CertificateError as error:
        reason = str(error)
    if reason:
        sys.stderr.write(f"{reason}\n")
    return 1 if reason else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
