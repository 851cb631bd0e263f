"""A server process for tests that kill it: `python replica_process.py NAME` prints its port, and answers its name."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from recsys.rpc.method import ServerLimits
from recsys.rpc.server import RpcServer, end_signals
from recsys.rpc.tls import TlsFiles
from recsys.v1.model_service_pb2 import GetModelRequest, GetModelResponse
from recsys.v1.model_service_pb2_grpc import ModelServiceServicer, add_ModelServiceServicer_to_server

LIMITS = ServerLimits(worker_threads=4, maximum_concurrent_rpcs=64, default_deadline_s=20.0, grace_s=20.0)


class NamedServicer(ModelServiceServicer):
    """Answers with its name."""

    def __init__(self, name: str) -> None:
        self._response = GetModelResponse(artifact_version=name)
        self.calls = 0

    def GetModel(self, request: GetModelRequest, context: grpc.ServicerContext) -> GetModelResponse:  # noqa: N802
        self.calls += 1
        return self._response


def replica(name: str, limits: ServerLimits = LIMITS, *, tls: TlsFiles | None = None) -> RpcServer:
    """A server that is not started yet."""
    server = RpcServer(limits, tls=tls)
    server.add(add_ModelServiceServicer_to_server, NamedServicer(name))
    return server


@contextmanager
def process(name: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A server process and its port."""
    with subprocess.Popen([sys.executable, __file__, name], stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            yield running, int(running.stdout.readline())
        finally:
            running.kill()


if __name__ == "__main__":
    told_to_end = end_signals()
    this = replica(sys.argv[1])
    sys.stdout.write(f"{this.start(host='127.0.0.1', port=0)}\n")
    sys.stdout.flush()
    this.set_serving()
    told_to_end.get()
    this.drain()
