"""Starts the gateway: `python -m gateway`. Settings come from the environment, see `settings`."""

import recsys.rpc  # noqa: F401 # first: before grpc is imported

# isort: split
import gc

import uvicorn
import uvloop

from gateway.app import create_app
from gateway.clients import connect
from gateway.http.access import guard
from gateway.http.http_protocol import BoundedHttp
from gateway.http.metrics import GatewayMetrics
from gateway.lists.popular_list import popular_list
from gateway.lists.rules import followed
from gateway.settings import Settings
from gateway.shop.live_shop import go_live
from recsys.observability import logging
from recsys.observability.metrics import served
from recsys.observability.trace_export import exported
from recsys.process import ended_by_a_sentence, read_settings


async def serve(settings: Settings) -> None:
    """Answer requests until SIGTERM or SIGINT, then finish those that are running."""
    metrics = GatewayMetrics()
    async with (
        connect(settings, metrics.calls) as clients,
        go_live(settings) as live,
        guard(settings) as access,
        popular_list(clients, file=settings.static_list_file) as popular,
        followed(settings.rules_file) as rules,
    ):
        config = uvicorn.Config(
            create_app(settings, clients, live, guard=access, metrics=metrics, popular=popular, rules=rules),
            host=settings.host,
            port=settings.port,
            http=BoundedHttp,
            ws="none",
            lifespan="off",
            log_config=None,  # our JSON lines, and one line a request is written by request_context
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=10,
        )
        gc.freeze()  # what is there now stays: the collector need not look through it again, under every request
        with served(metrics.registry, host=settings.metrics_host, port=settings.metrics_port):
            await uvicorn.Server(config).serve()


def main() -> None:
    """Entry point."""
    with ended_by_a_sentence():
        settings = read_settings(Settings)
        logging.configure(service="gateway", level=settings.log_level)
        with exported("gateway"):
            uvloop.run(serve(settings))


if __name__ == "__main__":
    main()
