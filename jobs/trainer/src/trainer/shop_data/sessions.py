"""Events of sessions in, events of those that can be learnt from as users out.

What a session did before somebody signed in is that user's. Any other session stands for a user if it has two different
items: then it says which go together; with one it says nothing that its event did not say to the trending counters.
"""

from typing import Final

import polars as pl

SESSION: Final = "session:"
"""What the id of an anonymous session begins with, where it stands for a user."""


def with_owners(events: pl.DataFrame) -> pl.DataFrame:
    """`user_id` also where only other rows of the session name one: of several users in turn, the first.

    Args:
        events: user_id, session_id, by time.
    """
    if events["session_id"].null_count() == events.height:
        return events
    first = pl.col("user_id").drop_nulls().first().over("session_id")
    owner = pl.when(pl.col("session_id").is_not_null()).then(first)
    return events.with_columns(pl.coalesce("user_id", owner))


def standing_for_users(events: pl.DataFrame) -> pl.DataFrame:
    """Sessions that have two different items stand for users; of the others nothing is left.

    Args:
        events: user_id, session_id, item_id.
    """
    if events["session_id"].null_count() == events.height:
        return events
    items = pl.col("item_id").n_unique().over("session_id")
    stands = pl.when(items >= 2).then(pl.lit(SESSION) + pl.col("session_id"))
    return events.with_columns(pl.coalesce("user_id", stands)).drop_nulls("user_id")
