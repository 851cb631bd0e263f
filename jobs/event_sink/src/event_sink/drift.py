"""How much of what happens the live version knows: counts of the last days and the version in, the comparison out."""

import polars as pl

from event_sink.live_version import LiveVersion
from event_sink.week import Counts
from recsys.activity import Drift, Known
from recsys.shop.events import PURCHASE


def drift(counts: Counts, live: LiveVersion) -> Drift:
    """The last days beside what the version was trained on."""
    events = counts.events.join(live.items.select("item_id", "is_trained"), on="item_id", how="left")
    by_type = events.group_by("event_type").agg(pl.col("events").sum()).sort("event_type")
    people = counts.people.join(live.items.select("item_id", "is_head"), on="item_id", how="left")
    everybody, of_head = (some.select(pl.col("people").sum()).item() for some in (people, people.filter("is_head")))
    return Drift(
        version=live.name,
        items=_known(events, pl.col("is_trained")),
        purchases=_known(events.filter(event_type=PURCHASE), pl.col("is_trained")),
        users=None if live.users is None else _known(counts.users, pl.col("user_id").is_in(live.users.implode())),
        types=dict(by_type.iter_rows()),
        trained_types=live.recent_events,
        head_items=None if live.head_share is None else live.items["is_head"].sum(),
        trained_head_share=live.head_share,
        head_share=of_head / everybody if live.head_share and everybody else None,
    )


def _known(counted: pl.DataFrame, is_known: pl.Expr) -> Known:
    return Known(events=counted["events"].sum(), known=counted.filter(is_known)["events"].sum())
