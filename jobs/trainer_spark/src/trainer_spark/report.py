"""Checked events in, the same report of them out that the local engine gives."""

import polars as pl
from pyspark.sql import DataFrame
from pyspark.sql import functions as fn

from trainer.shop_data import odd_ids, sessions
from trainer.shop_data.odd_ids import OddIds
from trainer.shop_data.quarantine import LoadReport, Quarantine, Tally
from trainer_spark.times import moment


def of(
    events: DataFrame,
    tallies: tuple[Tally, Tally | None],
    catalogue: pl.DataFrame,
    quarantine: Quarantine,
    *,
    decimal: str,
) -> LoadReport:
    """The report of what was read.

    Args:
        tallies: of the events and of the separate catalogue; none: there is no such file.
        decimal: what parts whole and fraction in the files.
    """
    whole = [fn.col(name) for name in ("user_id", "item_id", "event_type", "timestamp", "quantity", "value")]
    time = fn.col("timestamp")
    types = events.groupBy("event_type").agg(fn.count("*"), fn.min(time), fn.max(time)).collect()
    by_type = {str(row[0]): int(row[1]) for row in types}
    users = events.select("user_id").distinct()
    different = events.select(fn.xxhash64(*whole)).distinct().count()
    odd = (_odd_users(users, decimal=decimal), OddIds.among("item_id", catalogue["item_id"], decimal=decimal))
    of_events, of_items = tallies
    return LoadReport(
        events=of_events.counts(),
        catalogue=of_items.counts() if of_items else None,
        quarantine_path=quarantine.path if quarantine.rows else None,
        events_by_type=by_type,
        users=odd[0].ids,
        sessions=users.where(fn.col("user_id").startswith(sessions.SESSION)).count(),
        items=catalogue.height,
        first=moment(min(row[2] for row in types)) if types else None,
        last=moment(max(row[3] for row in types)) if types else None,
        exact_duplicates=sum(by_type.values()) - different,
        like_floats=tuple(one.column for one in odd if one.are_like_floats),
        odd_ids=odd,
    )


def _odd_users(users: DataFrame, *, decimal: str) -> OddIds:
    """As `OddIds.among` counts them, where nobody holds all ids."""
    user_id = fn.col("user_id")
    number = fn.nullif(fn.regexp_extract(user_id, odd_ids.decimals_pattern(decimal), 1), fn.lit(""))
    told = users.select(
        fn.coalesce(number, user_id).alias("plain"),
        number.isNotNull().cast("int").alias("decimals"),
        user_id.rlike(odd_ids.rounded_pattern(decimal)).cast("int").alias("rounded"),
    )
    by_plain = told.groupBy("plain").agg(
        fn.count("*").alias("ids"), fn.sum("decimals").alias("decimals"), fn.sum("rounded").alias("rounded")
    )
    also_plain = fn.when(fn.col("ids") > fn.col("decimals"), fn.col("decimals")).otherwise(0)
    row = by_plain.agg(fn.sum("ids"), fn.sum("decimals"), fn.sum(also_plain), fn.sum("rounded")).collect()[0]
    ids, decimals, twice, rounded = (int(count or 0) for count in row)
    nobody = users.where(user_id.isin(*odd_ids.NOBODY)).collect()
    return OddIds("user_id", ids, decimals, twice, rounded, tuple(sorted(str(one[0]) for one in nobody)))
