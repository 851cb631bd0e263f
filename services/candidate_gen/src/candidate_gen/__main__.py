"""`python -m candidate_gen`: settings → server → live state → model → answers, until SIGTERM."""

import logging
import sys

from pydantic import ValidationError

from candidate_gen.app import create
from candidate_gen.settings import Settings
from recsys.feature_store.follower import Follower, LiveState
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
    live = LiveState()
    server, watcher = create(settings, live)
    server.start(host=settings.host, port=settings.port)
    follower = Follower(settings.feature_store_url, live) if settings.feature_store_url else None
    if follower is not None:
        follower.start()  # before the model: the first answer knows already what is off sale
    watcher.start()
    told_to_end.get()
    server.drain()
    watcher.stop()
    if follower is not None:
        follower.stop()


if __name__ == "__main__":
    main()
