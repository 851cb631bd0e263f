"""A shop as a process: appends events until killed or until the store is unavailable, and tells what was acknowledged.

    python append_for_ever.py STORE_URL ROUND

Every round each writer appends one batch. Ids are told by round, so a round that was cut short is asked for again with
the same ids. A line a batch, after its acknowledgement: {event id: sequence}.
"""

import asyncio
import json
import sys

from recsys.errors import StoreUnavailableError
from recsys.feature_store.interface import Event, FeatureStore, Subject
from recsys.feature_store.opening import open_store

NOW_MS = 1_700_000_000_000
WRITERS = 4
EVENTS_AT_ONCE = 3


def batch(number: int, writer: int) -> list[Event]:
    """What a writer appends in a round."""
    return [
        Event(f"{number}-{writer}-{n}", Subject("user", f"u{writer}"), f"i{number}-{n}", "view", NOW_MS + number, 1.0)
        for n in range(EVENTS_AT_ONCE)
    ]


async def _write(store: FeatureStore, number: int, writer: int) -> None:
    events = batch(number, writer)
    outcomes = await store.append(events, now_ms=NOW_MS)
    told = {event.event_id: outcome.sequence for event, outcome in zip(events, outcomes, strict=True)}
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


async def _main(url: str, number: int) -> None:
    store = open_store(url)
    while True:
        outcomes = await asyncio.gather(
            *(_write(store, number, writer) for writer in range(WRITERS)), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, StoreUnavailableError):
                return
            if outcome is not None:
                raise outcome
        number += 1


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2])))
