"""`python -m reranker`: settings → server → model → answers, until SIGTERM."""

import logging

from recsys.observability.logging import configure
from recsys.rpc.server import wait_for_signal
from reranker.app import create
from reranker.settings import Settings


def main() -> None:
    settings = Settings()
    configure(service="reranker", level=settings.log_level)
    logging.getLogger(__name__).info("starting", extra={"settings": settings.model_dump(mode="json")})
    server, watcher = create(settings)
    server.start(host=settings.host, port=settings.port)
    watcher.start()
    wait_for_signal()
    server.drain()
    watcher.stop()


if __name__ == "__main__":
    main()
