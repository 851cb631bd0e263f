"""`python -m candidate_gen`: settings → server → model → answers, until SIGTERM."""

import logging
import sys

from pydantic import ValidationError

from candidate_gen.app import create
from candidate_gen.settings import Settings
from recsys.observability.logging import configure
from recsys.rpc.server import end_signals


def main() -> None:
    try:
        settings = Settings()
    except ValidationError as error:
        sys.exit(f"settings: {error}")
    configure(service="candidate_gen", level=settings.log_level)
    logging.getLogger(__name__).info("starting", extra={"settings": settings.model_dump(mode="json")})
    told_to_end = end_signals()
    server, watcher = create(settings)
    server.start(host=settings.host, port=settings.port)
    watcher.start()
    told_to_end.get()
    server.drain()
    watcher.stop()


if __name__ == "__main__":
    main()
