"""Starts the gateway: `python -m gateway`. Settings come from the environment, see `settings`."""

import recsys.rpc  # noqa: F401 # first: before grpc is imported

# isort: split
import asyncio
import gc
import socket
from typing import Final

import uvicorn
import uvloop
from fastapi import FastAPI

from gateway.app import create_app
from gateway.clients import connect
from gateway.http.access import guard
from gateway.http.http_protocol import BoundedHttp
from gateway.http.metrics import GatewayMetrics
from gateway.lists.popular_list import popular_list
from gateway.lists.rules import followed
from gateway.rpc.server import GrpcServer
from gateway.settings import Settings
from gateway.shop.live_shop import go_live
from recsys.observability import logging
from recsys.observability.metrics import served
from recsys.observability.trace_export import exported
from recsys.process import ended_where_it_cannot_start, read_settings

_GRACE_S: Final = 10  # for requests that are running when the process is told to end


async def serve(settings: Settings) -> None:
    """Answer requests until SIGTERM or SIGINT, then finish those that are running."""
    metrics = GatewayMetrics()
    async with (
        connect(settings, metrics.calls) as clients,
        go_live(settings) as live,
        guard(settings) as access,
        popular_list(clients, file=settings.static_list_file) as popular,
        followed(settings.rules_file, live.store) as rules,
    ):
        app = create_app(settings, clients, live, guard=access, metrics=metrics, popular=popular, rules=rules)
        config = uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            http=BoundedHttp,
            ws="none",
            lifespan="off",
            log_config=None,  # our JSON lines, and one line a request is written by request_context
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
        gc.freeze()  # what is there now stays: the collector need not look through it again, under every request
        with served(metrics.registry, host=settings.metrics_host, port=settings.metrics_port):
            await _Server(config, await _served_over_grpc(app, settings)).serve()


async def _served_over_grpc(app: FastAPI, settings: Settings) -> GrpcServer | None:
    if not settings.grpc_port:
        return None
    server = GrpcServer(
        app, tls=settings.grpc_tls_files(), max_bytes=settings.max_body_bytes, max_in_flight=settings.max_in_flight
    )
    await server.start(host=settings.host, port=settings.grpc_port)
    return server


class _Server(uvicorn.Server):
    """Ends gRPC and HTTP at the same time: uvicorn ends the process as soon as its own part has ended."""

    def __init__(self, config: uvicorn.Config, over_grpc: GrpcServer | None) -> None:
        super().__init__(config)
        self._over_grpc = over_grpc

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._over_grpc is None:
            await super().shutdown(sockets)
        else:
            await asyncio.gather(super().shutdown(sockets), self._over_grpc.stop(grace_s=_GRACE_S))


def main() -> None:
    """Entry point."""
    with ended_where_it_cannot_start():
        settings = read_settings(Settings)
        logging.configure(service="gateway", level=settings.log_level)
        with exported("gateway"):
            uvloop.run(serve(settings))


if __name__ == "__main__":
    main()
