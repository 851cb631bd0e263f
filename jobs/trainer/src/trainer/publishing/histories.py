"""Users' histories into the feature store, for a version that holds no users: services fold everybody in from there."""

import asyncio
from collections.abc import Iterator
from itertools import islice, repeat
from typing import Final

from recsys.artifact.packed_history import packed_histories
from recsys.errors import StoreUnavailableError
from recsys.feature_store.interface import PackedHistory
from recsys.feature_store.opening import open_store
from trainer.publishing.publish import history_of
from trainer.shop_data.interactions import Interactions

_AT_ONCE: Final = 1_000  # that wait for the disk together


def write(known: Interactions, *, stream_sequence: int, url: str) -> int:
    """Write the history of every user, in place of what an earlier training wrote; returns how many were kept.

    Not those of users who were erased since their events were read.

    Raises:
        StoreUnavailableError: some were written, perhaps; the same run again writes all of them.
    """
    texts = packed_histories(history_of(known), known.item_ids, stream_sequence=stream_sequence)
    packed = map(PackedHistory, known.user_ids, repeat(stream_sequence), texts)
    try:
        return asyncio.run(_written(packed, url))
    except StoreUnavailableError as error:
        raise StoreUnavailableError(f"{error}; the histories are not complete there: train again") from error


async def _written(histories: Iterator[PackedHistory], url: str) -> int:
    store, kept = open_store(url), 0
    try:
        while part := list(islice(histories, _AT_ONCE)):
            kept += await store.write_histories(part)
    finally:
        await store.close()
    return kept
