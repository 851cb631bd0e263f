"""A small shop over 200 days whose right answers are known: every user keeps to one of two halves of the catalogue."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from trainer.shop_data.shop import Shop

START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 200


def two_tastes(*, n_users: int = 80, n_items: int = 60, events_a_user: int = 20, seed: int = 0) -> Shop:
    """User u buys items of u's parity, each at most once, spread over the days."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(n_users):
        own = np.arange(user % 2, n_items, 2)
        for item in rng.permutation(own)[:events_a_user]:
            moment = START + timedelta(minutes=int(rng.integers(DAYS * 24 * 60)))
            rows.append((f"u{user:03}", f"i{item:03}", "purchase", moment, 1.0, None))
    columns = ["user_id", "item_id", "event_type", "timestamp", "quantity", "value"]
    frame = pl.DataFrame(rows, schema=columns, orient="row", schema_overrides={"value": pl.Float64})
    frame = frame.with_columns(pl.col("timestamp").dt.cast_time_unit("us")).sort("timestamp")
    item_ids = [f"i{item:03}" for item in range(n_items)]
    catalogue = pl.DataFrame(
        {
            "item_id": item_ids,
            "title": [f"Item {item}" for item in range(n_items)],
            "category": ["even" if item % 2 == 0 else "odd" for item in range(n_items)],
            "price": [float(item) for item in range(n_items)],
            "image_url": pl.Series([None] * n_items, dtype=pl.String),
            "available": [True] * n_items,
        }
    )
    return Shop(events=frame, catalogue=catalogue, weights={"view": 1.0, "cart": 3.0, "purchase": 5.0})
