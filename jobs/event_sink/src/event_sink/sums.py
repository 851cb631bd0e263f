"""What experiments have brought: exposures, events and merges of the lake in, sums of each arm out.

Nothing is kept in between, so that another definition, or a mended one, counts from the first exposure on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import polars as pl

from recsys.errors import DataError
from recsys.experiments import REMOVE, ArmSums, ExperimentSums, Metric, MetricSums
from recsys.lake import COMMITTED, Committed, owners_of_sessions, read_committed, scan_table

_ATTEMPTS: Final = 10
_DAY_MS: Final = 86_400_000


@dataclass(frozen=True)
class Rules:
    """What holds for all experiments."""

    click_days: float  # a click comes so long after its list at most
    clock_skew_s: float  # and an event so long before its list, or the first exposure: by another clock


def of_lake(lake: Path, metrics: Mapping[str, Sequence[Metric]], rules: Rules) -> dict[str, ExperimentSums]:
    """The sums of these experiments over everything that the lake holds, also while the sink works on it.

    Raises:
        DataError: a file of the lake cannot be read.
    """
    for _ in range(_ATTEMPTS):
        try:
            return _of_commit(lake, read_committed(lake) or Committed(), metrics, rules)
        except FileNotFoundError:  # merged or rewritten since: COMMITTED names another part by now
            continue
        except pl.exceptions.PolarsError as error:
            raise DataError(f"{lake}: cannot be read: {error}") from error
    raise DataError(f"{lake}: expected the parts that {COMMITTED} names, found one missing {_ATTEMPTS} times")


def _of_commit(
    lake: Path, committed: Committed, metrics: Mapping[str, Sequence[Metric]], rules: Rules
) -> dict[str, ExperimentSums]:
    owners = owners_of_sessions(scan_table(lake, committed, "merges").collect()).lazy()
    of_experiments = pl.col("experiment").is_in(list(metrics))
    lists = scan_table(lake, committed, "exposures").filter(of_experiments).with_columns(_LIST_ID)
    shown = _shown(lists, owners)
    people = shown.drop_nulls("person").group_by("experiment", "person", maintain_order=True)
    units = people.agg(pl.first("arm"), first_ms=pl.first("unix_ms"), is_mixed=pl.col("arm").n_unique() > 1)
    earliest_ms = next(iter(shown["unix_ms"]), 0) - rules.clock_skew_s * 1000
    since = datetime.fromtimestamp(max(0.0, earliest_ms) / 1000, UTC).date().isoformat()
    types = {each for defined in metrics.values() for metric in defined for each in (*metric.types, *metric.returns)}
    events = _of_people(scan_table(lake, committed, "events", since=since), units, owners, types=types)
    clicks = _clicks(events, shown, lists, rules)
    return {
        name: _sums(
            tuple(defined),
            shown=shown.filter(experiment=name),
            units=units.filter(experiment=name),
            events=events,
            clicks=clicks.filter(experiment=name),
            rules=rules,
        )
        for name, defined in metrics.items()
    }


def _shown(lists: pl.LazyFrame, owners: pl.LazyFrame) -> pl.DataFrame:
    """Lists, once each, in the order of time; `person` is whose each is, null where it was nobody's."""
    once = lists.select(
        *("sequence", "list_id", "request_id", "user_id", "session_id", "experiment", "arm", "unix_ms", "latency_ms"),
        is_empty=pl.col("item_ids").list.len() == 0,
    )
    once = once.sort("unix_ms", "sequence").unique("list_id", keep="first", maintain_order=True)
    return _with_person(once, owners).collect()


def _of_people(events: pl.LazyFrame, units: pl.DataFrame, owners: pl.LazyFrame, *, types: set[str]) -> pl.DataFrame:
    """Events, each id once, of people who were shown something: those that name a list, and those of these types."""
    name = pl.coalesce("list_id", "request_id")
    people = units.lazy().select("person").unique()
    of_people = _with_person(events.filter(name.is_not_null() | pl.col("event_type").is_in(types)), owners)
    once = of_people.join(people, on="person", how="semi").sort("sequence").unique("event_id", keep="first")
    return once.select("event_id", "person", "item_id", "event_type", "unix_ms", "value", name=name).collect()


def _clicks(events: pl.DataFrame, shown: pl.DataFrame, lists: pl.LazyFrame, rules: Rules) -> pl.DataFrame:
    """Events on an item of a list that they name, of the person that it was shown to, with `delay_ms` after it.

    Columns of `events`, experiment, arm, list_id, delay_ms. Where a request_id names several lists, the first counts
    that has the item.
    """
    by_list = shown.with_columns(name="list_id")
    by_request = shown.filter(pl.col("request_id") != pl.col("list_id")).with_columns(name="request_id")
    named = pl.concat([by_list, by_request]).select("name", "person", "experiment", "list_id", shown_ms="unix_ms")
    answers = events.join(named, on=["name", "person"]).with_columns(delay_ms=pl.col("unix_ms") - pl.col("shown_ms"))
    answers = answers.filter(pl.col("delay_ms") >= -rules.clock_skew_s * 1000)
    answered = lists.select("list_id", "item_ids").join(answers.lazy().select("list_id"), on="list_id", how="semi")
    with_items = answers.join(answered.unique("list_id").collect(), on="list_id")
    on_the_list = with_items.filter(pl.col("item_ids").list.contains(pl.col("item_id"))).drop("item_ids")
    return on_the_list.sort("shown_ms").unique("event_id", keep="first")


def _sums(
    metrics: tuple[Metric, ...],
    *,
    shown: pl.DataFrame,
    units: pl.DataFrame,
    events: pl.DataFrame,
    clicks: pl.DataFrame,
    rules: Rules,
) -> ExperimentSums:
    """Of one experiment: what was shown in it, its units, what they clicked, and events of whomever."""
    removals = {REMOVE, *(each for metric in metrics for each in metric.returns)}
    clicks = clicks.filter(~pl.col("event_type").is_in(removals))
    clicked = clicks.filter(pl.col("delay_ms") <= rules.click_days * _DAY_MS)["list_id"].unique()
    after = units.join(events, on="person").with_columns(delay_ms=pl.col("unix_ms") - pl.col("first_ms"))
    arms = shown.group_by("arm").agg(
        exposures=pl.len(),
        empty_exposures=pl.col("is_empty").sum(),
        clicked_exposures=pl.col("list_id").is_in(clicked.implode()).sum(),
        latency_ms_sum=pl.col("latency_ms").sum(),
    )
    counted = units.group_by("arm").agg(units=pl.len(), mixed_units=pl.col("is_mixed").sum())
    arms = arms.join(counted, on="arm", how="left").with_columns(pl.col("units", "mixed_units").fill_null(0))
    by_metric = {
        metric.name: _by_arm(metric, units, clicks if metric.measure == "clicked" else after, rules)
        for metric in metrics
    }
    return ExperimentSums(
        metrics=metrics,
        arms={
            arm["arm"]: ArmSums(
                **{name: value for name, value in arm.items() if name != "arm"},
                metrics={name: of_arm.get(arm["arm"], MetricSums()) for name, of_arm in by_metric.items()},
            )
            for arm in arms.iter_rows(named=True)
        },
    )


def _by_arm(metric: Metric, units: pl.DataFrame, events: pl.DataFrame, rules: Rules) -> dict[str, MetricSums]:
    """Arm → sums over its units of the number that the metric makes of each; a unit without an event has 0."""
    longest = metric.window_ms(click_days=rules.click_days)
    in_time = events.filter(pl.col("delay_ms").is_between(-rules.clock_skew_s * 1000, longest))
    counts, comes_back = pl.col("event_type").is_in(metric.types), pl.col("event_type").is_in(metric.returns)
    money = pl.col("value").filter(counts).sum() - pl.col("value").filter(comes_back).abs().sum()
    number = {
        "clicked": pl.len() > 0,
        "converted": counts.any(),
        "count": counts.sum(),
        "money": money,
    }[metric.measure]
    of_units = in_time.group_by("person").agg(x=number.cast(pl.Float64)).join(units, on="person")
    x = pl.col("x")
    sums = of_units.group_by("arm").agg(outcomes=(x != 0).sum(), total=x.sum(), squares=(x * x).sum())
    return {row.pop("arm"): MetricSums(**row) for row in sums.iter_rows(named=True)}


def _with_person(rows: pl.LazyFrame, owners: pl.LazyFrame) -> pl.LazyFrame:
    """`person`: the user, also of a session that was merged, or else the session; null where a row names nobody."""
    user, session = pl.lit("u:") + pl.coalesce("user_id", "owner"), pl.lit("s:") + pl.col("session_id")
    owned = rows.join(owners, on="session_id", how="left", maintain_order="left")
    return owned.with_columns(person=pl.coalesce(user, session)).drop("user_id", "session_id", "owner")


_LIST_ID: Final = pl.coalesce("list_id", "request_id").alias("list_id")
