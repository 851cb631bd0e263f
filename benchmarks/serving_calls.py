"""What a call from the gateway to a service takes beside a plain unary call, and whether calls wait for each other.

    make benchmark-serving-calls      # or: .venv/bin/python -m benchmarks.serving_calls

The gateway's client for candidate_gen and unary calls over a channel of the same kind ask a service that does nothing
but wait, in turns: one call after the other, and 16 at once that take the service 50 ms each, to one replica and to
three. Each replica is a process with the limits that a service has by default.
"""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, Final

import uvloop

from benchmarks.load import machine
from benchmarks.serving_systems import HOST, address_of
from gateway.clients import connect
from gateway.settings import Settings
from recsys.rpc.channel import call_unary, open_channel
from recsys.rpc.probe import probe
from recsys.rpc.server import RpcServer
from recsys.rpc.service import ServiceSettings
from recsys.v1.candidate_gen_service_pb2 import GetCandidatesRequest, GetCandidatesResponse
from recsys.v1.candidate_gen_service_pb2_grpc import (
    CandidateGenServiceServicer,
    CandidateGenServiceStub,
    add_CandidateGenServiceServicer_to_server,
)
from tools.local_stack import Ports

_SLOW_MS: Final = 50
_AT_ONCE: Final = 16
_TURNS: Final = 20
_CALLS_A_TURN: Final = 100
_ANSWER_BYTES: Final = 4_000  # about what 270 candidates take
_TIMEOUT_S: Final = 5.0
_CONNECTED_S: Final = 1.0

Ask = Callable[[GetCandidatesRequest], Awaitable[Any]]


class WaitingServicer(CandidateGenServiceServicer):
    """Answers after as many milliseconds as it is asked for candidates."""

    def GetCandidates(self, request: GetCandidatesRequest, context: object) -> GetCandidatesResponse:  # noqa: N802
        time.sleep(request.count / 1e3)
        return GetCandidatesResponse(query_vector=bytes(_ANSWER_BYTES))


def main() -> None:
    """Print the table."""
    print(f"{machine()}\n\n| calls | the gateway's client, p50 ms | unary calls, p50 ms | ratio |\n|---|---|---|---|")
    uvloop.run(report())  # as the gateway


async def report() -> None:
    """Print the rows."""
    for replicas in (1, 3):
        with serving(replicas) as target:
            rows = await compare(target)
        for what, (client_ms, unary_ms) in rows.items():
            print(
                f"| {what}, replicas: {replicas} | {client_ms:.2f} | {unary_ms:.2f} | {client_ms / unary_ms:.2f} |",
                flush=True,
            )


async def compare(target: str) -> dict[str, tuple[float, float]]:
    """Milliseconds by the gateway's client and by unary calls: of a call, and of all of those at once."""
    settings = Settings(candidate_gen_target=target, reranker_target=target)
    async with connect(settings) as clients, open_channel(target) as channel:
        ways: tuple[Ask, Ask] = (
            partial(clients.candidate_gen.get_candidates, timeout_s=_TIMEOUT_S),
            partial(call_unary, CandidateGenServiceStub(channel).GetCandidates, timeout_s=_TIMEOUT_S),
        )
        for ask in ways:
            await ask(GetCandidatesRequest())
        await asyncio.sleep(_CONNECTED_S)  # to all replicas
        alone: tuple[list[float], list[float]] = ([], [])
        at_once: tuple[list[float], list[float]] = ([], [])
        for _ in range(_TURNS):
            for way, ask in enumerate(ways):
                alone[way].extend([await _took_ms(ask, 1, slow_ms=0) for _ in range(_CALLS_A_TURN)])
                at_once[way].append(await _took_ms(ask, _AT_ONCE, slow_ms=_SLOW_MS))
        return {
            "one after the other": (median(alone[0]), median(alone[1])),
            f"{_AT_ONCE} of {_SLOW_MS} ms at once": (median(at_once[0]), median(at_once[1])),
        }


async def _took_ms(ask: Ask, count: int, *, slow_ms: int) -> float:
    """Until the last of so many calls at once is answered."""
    started = time.perf_counter()
    await asyncio.gather(*(ask(GetCandidatesRequest(count=slow_ms)) for _ in range(count)))
    return (time.perf_counter() - started) * 1e3


@contextmanager
def serving(replicas: int) -> Iterator[str]:
    """The address of so many processes that answer."""
    ports = [Ports.free().candidate_gen for _ in range(replicas)]
    processes = [get_context("spawn").Process(target=_serve, args=(port,), daemon=True) for port in ports]
    try:
        for process, port in zip(processes, ports, strict=True):
            process.start()
            while probe(f"{HOST}:{port}"):
                if process.exitcode is not None:
                    raise RuntimeError(f"the service ended with status {process.exitcode}")
        yield address_of(ports)
    finally:
        for process in processes:
            process.terminate()


def _serve(port: int) -> None:
    server = RpcServer(ServiceSettings(artifact_dir=Path(), port=port).limits())
    server.add(add_CandidateGenServiceServicer_to_server, WaitingServicer())
    server.start(host=HOST, port=port)
    server.set_serving()
    signal.pause()


if __name__ == "__main__":
    main()
