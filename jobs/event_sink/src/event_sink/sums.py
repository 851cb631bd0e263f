"""What experiments have brought: exposures, events and merges of the lake in, sums of each arm out.

Nothing is kept in between, so that another definition, or a mended one, counts from the first exposure on. What people
do is theirs alone, so sums of some of them may be added to those of others: that bounds the memory.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import polars as pl

from recsys.experiments import ArmSums, ExperimentSums, Metric, MetricSums
from recsys.lake import LIST_ID, MONEY, Committed, as_committed, collect_parts, with_owners
from recsys.shop.events import REMOVE

_ROWS_AT_ONCE: Final = 2_000_000  # of the lake, for each of which a few hundred bytes are held
_DAY_MS: Final = 86_400_000
_METRIC_SUMS: Final = pl.Schema(
    dict.fromkeys(("experiment", "arm", "metric"), pl.String())
    | {"outcomes": pl.UInt32(), "total": pl.Float64(), "squares": pl.Float64()}
)


@dataclass(frozen=True)
class Rules:
    """What holds for all experiments."""

    click_days: float  # a click comes so long after its list at most
    clock_skew_s: float  # and an event so long before its list, or the first exposure: by another clock


def of_lake(lake: Path, metrics: Mapping[str, Sequence[Metric]], rules: Rules) -> dict[str, ExperimentSums]:
    """The sums of these experiments over everything that the lake holds, also while the sink works on it.

    Raises: DataError (a file of the lake cannot be read).
    """
    if not metrics:
        return {}
    return as_committed(lake, lambda committed: _of_commit(lake, committed, metrics, rules))


def _of_commit(
    lake: Path, committed: Committed, metrics: Mapping[str, Sequence[Metric]], rules: Rules
) -> dict[str, ExperimentSums]:
    merges = collect_parts(lake, committed, "merges", lambda part: part)
    groups = 1 + sum(committed.parts.values()) // _ROWS_AT_ONCE
    people = (_People(lake, committed, merges, pl.col("person").hash() % groups == group) for group in range(groups))
    found = [_of_people(some, metrics, rules) for some in people]
    of_arms = pl.concat(arms for arms, _ in found).group_by("experiment", "arm").sum()
    of_metrics = pl.concat(sums for _, sums in found).group_by("experiment", "arm", "metric").sum()
    arms: dict[str, dict[str, ArmSums]] = {name: {} for name in metrics}
    for row in of_arms.sort("experiment", "arm").to_dicts():
        name, arm = row.pop("experiment"), row.pop("arm")
        sums = {each.name: MetricSums() for each in metrics[name]}
        for of_metric in of_metrics.filter(experiment=name, arm=arm).to_dicts():
            sums[of_metric["metric"]] = MetricSums.model_validate(of_metric)
        arms[name][arm] = ArmSums(**row, metrics=sums)
    return {name: ExperimentSums(metrics=tuple(defined), arms=arms[name]) for name, defined in metrics.items()}


@dataclass(frozen=True)
class _People:
    """Some of all people, and their rows of the lake."""

    lake: Path
    committed: Committed
    merges: pl.DataFrame
    is_one: pl.Expr  # of a person

    def rows(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Theirs, with `person`: the user, also of a session that was merged, or else the session; null: nobody's."""
        user, session = pl.lit("u:") + pl.coalesce("user_id", "owner"), pl.lit("s:") + pl.col("session_id")
        owned = with_owners(rows, self.merges).with_columns(person=pl.coalesce(user, session))
        return owned.filter(self.is_one).drop("user_id", "session_id", "owner")


def _of_people(
    people: _People, metrics: Mapping[str, Sequence[Metric]], rules: Rules
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Sums over these people by experiment and arm, and by experiment, arm and metric."""
    shown = _shown(people, list(metrics))
    units = _units(shown)
    earliest_ms = next(iter(shown["unix_ms"]), 0) - rules.clock_skew_s * 1000
    since = datetime.fromtimestamp(max(0.0, earliest_ms) / 1000, UTC).date().isoformat()
    defined = [(name, metric) for name, each in metrics.items() for metric in each]
    types = {each for _, metric in defined for each in (*metric.types, *metric.returns)}
    events = _events(people, units, types=types, since=since)
    removals = {name: [REMOVE, *(back for one in each for back in one.returns)] for name, each in metrics.items()}
    is_removal = pl.any_horizontal(
        (pl.col("experiment") == name) & pl.col("event_type").is_in(types) for name, types in removals.items()
    )
    clicks = _clicks(people, events, shown, rules).filter(~is_removal)
    after = units.join(events, on="person").with_columns(delay_ms=pl.col("unix_ms") - pl.col("first_ms"))
    sums = [
        _by_metric(metric, units.filter(experiment=name), clicks if metric.measure == "clicked" else after, rules)
        for name, metric in defined
    ]
    return _by_arm(shown, units, clicks, rules), pl.concat([_METRIC_SUMS.to_frame(), *sums])


def _shown(people: _People, experiments: list[str]) -> pl.DataFrame:
    """Lists, once each, in the order of time."""
    columns = ("sequence", "request_id", "user_id", "session_id", "experiment", "arm", "unix_ms", "latency_ms")
    is_empty = pl.col("item_ids").list.len() == 0

    def of_part(part: pl.LazyFrame) -> pl.LazyFrame:
        of_experiments = part.filter(pl.col("experiment").is_in(experiments))
        return people.rows(of_experiments.select(LIST_ID, *columns, is_empty=is_empty))

    in_order = collect_parts(people.lake, people.committed, "exposures", of_part).sort("unix_ms", "sequence")
    return in_order.unique("list_id", keep="first", maintain_order=True)


def _units(shown: pl.DataFrame) -> pl.DataFrame:
    """Who was shown something, by experiment: the first arm, since when, whether others came, and how quick it was."""
    in_first = pl.col("arm") == pl.col("arm").first()
    return (
        shown.drop_nulls("person")
        .group_by("experiment", "person", maintain_order=True)
        .agg(
            pl.first("arm"),
            first_ms=pl.first("unix_ms"),
            is_mixed=~in_first.all(),
            latency_ms=pl.col("latency_ms").filter(in_first).mean(),
        )
    )


def _events(people: _People, units: pl.DataFrame, *, types: set[str], since: str) -> pl.DataFrame:
    """Events, each id once, of people who were shown something: those that name a list, and those of these types."""
    columns = ("sequence", "event_id", "person", "item_id", "event_type", "unix_ms", MONEY)

    def of_part(part: pl.LazyFrame) -> pl.LazyFrame:
        theirs = people.rows(part.filter(LIST_ID.is_not_null() | pl.col("event_type").is_in(types)))
        return theirs.select(*columns, name=LIST_ID).join(units.lazy(), on="person", how="semi")

    found = collect_parts(people.lake, people.committed, "events", of_part, since=since)
    return found.sort("sequence").unique("event_id", keep="first", maintain_order=True)


def _clicks(people: _People, events: pl.DataFrame, shown: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Events on an item of a list that they name, of the person that it was shown to, with `delay_ms` after it.

    Columns of `events`, experiment, list_id, delay_ms. Where a request_id names several lists, the first counts that
    has the item.
    """
    facts = ("person", "experiment", "list_id", "shown_ms")
    named = shown.rename({"unix_ms": "shown_ms"})
    by_list = named.with_columns(name="list_id").select("name", *facts)
    by_request = named.filter(pl.col("request_id") != pl.col("list_id")).select(*facts, name="request_id")
    both = pl.concat([by_list, by_request.select(by_list.columns)])
    answers = events.drop_nulls("name").join(both, on=["name", "person"])
    answers = answers.with_columns(delay_ms=pl.col("unix_ms") - pl.col("shown_ms"))
    answers = answers.filter(pl.col("delay_ms") >= -rules.clock_skew_s * 1000)
    answered = answers.lazy().select("list_id").unique()

    def items_of(part: pl.LazyFrame) -> pl.LazyFrame:
        return part.select(LIST_ID, "item_ids").join(answered, on="list_id", how="semi")

    items = collect_parts(people.lake, people.committed, "exposures", items_of).unique("list_id")
    on_the_list = pl.col("item_ids").list.contains(pl.col("item_id"))
    found = answers.join(items, on="list_id").filter(on_the_list).drop("item_ids")
    return found.sort("shown_ms").unique("event_id", keep="first")


def _by_arm(shown: pl.DataFrame, units: pl.DataFrame, clicks: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """What each arm showed, and to how many."""
    clicked = clicks.filter(pl.col("delay_ms") <= rules.click_days * _DAY_MS)["list_id"].unique()
    arms = shown.group_by("experiment", "arm").agg(
        exposures=pl.len(),
        empty_exposures=pl.col("is_empty").sum(),
        clicked_exposures=pl.col("list_id").is_in(clicked.implode()).sum(),
        latency_ms_sum=pl.col("latency_ms").sum(),
    )
    counted = units.group_by("experiment", "arm").agg(
        units=pl.len(),
        mixed_units=pl.col("is_mixed").sum(),
        unit_latency_ms_sum=pl.col("latency_ms").sum(),
        unit_latency_ms_squares=(pl.col("latency_ms") ** 2).sum(),
    )
    return arms.join(counted, on=["experiment", "arm"], how="left").fill_null(0)


def _by_metric(metric: Metric, units: pl.DataFrame, events: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """By arm of one experiment's units, sums of the number that the metric makes of each; without an event it is 0."""
    longest = metric.window_ms(click_days=rules.click_days)
    in_time = events.filter(pl.col("delay_ms").is_between(-rules.clock_skew_s * 1000, longest))
    counts, comes_back = pl.col("event_type").is_in(metric.types), pl.col("event_type").is_in(metric.returns)
    money = pl.col("money").filter(counts).sum() - pl.col("money").filter(comes_back).abs().sum()
    numbers = {"clicked": pl.len() > 0, "converted": counts.any(), "count": counts.sum(), "money": money}
    number, x = numbers[metric.measure], pl.col("x")
    of_units = in_time.group_by("experiment", "person").agg(x=number.cast(pl.Float64))
    of_arms = of_units.join(units, on=["experiment", "person"]).group_by("experiment", "arm")
    sums = of_arms.agg(metric=pl.lit(metric.name), outcomes=(x != 0).sum(), total=x.sum(), squares=(x * x).sum())
    return sums.cast(_METRIC_SUMS).select(_METRIC_SUMS.names())
