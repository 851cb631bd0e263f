"""What counts: clicks, conversions, money, and whose they are; worked out of a lake that the sink filled."""

import asyncio
from dataclasses import replace

import polars as pl
import pytest
from lake_in_folder import DAY_MS, FIRST_DAY_MS, Lake, StreamInMemory

from event_sink.sums import Rules, of_lake
from recsys.errors import DataError
from recsys.experiments import DEFAULT_METRICS, ArmSums, ExperimentSums, Metric, MetricSums
from recsys.feature_store.interface import Event, Exposure, Merge, Subject
from recsys.lake import EVENTS, EXPOSURES, Table, read_committed

ANNA, BEN, GUEST = Subject("user", "anna"), Subject("user", "ben"), Subject("session", "guest")
RULES = Rules(click_days=7, clock_skew_s=300)
ONCE, NOTHING = MetricSums(outcomes=1, total=1, squares=1), MetricSums()


class Shop:
    """Shows lists, and what people do; times are in seconds."""

    def __init__(self, store: StreamInMemory, lake: Lake) -> None:
        self.store = store
        self.lake = lake

    def shows(
        self,
        list_id: str,
        whom: Subject | None = ANNA,
        *,
        arm: str | None = "a",
        at: float = 0,
        items: tuple[str, ...] = ("i", "j"),
        request_id: str = "",
        experiment: str = "exp",
        latency_ms: float = 2.5,
    ) -> None:
        of = (experiment, arm) if arm is not None else (None, None)
        when = FIRST_DAY_MS + round(at * 1000)
        chance = (1.0,) * len(items)
        self.store._append(Exposure(list_id, whom, when, items, chance, "v1", *of, latency_ms, request_id))

    def sees(
        self,
        who: Subject = ANNA,
        *,
        item: str = "i",
        at: float = 1,
        answers: str | None = None,
        request_id: str | None = None,
        does: str = "view",
        value: float | None = None,
        event_id: str | None = None,
        quantity: int = 1,
    ) -> None:
        when = FIRST_DAY_MS + round(at * 1000)
        name = event_id or f"e{self.store.sequence}"
        self.store._append(Event(name, who, item, does, when, 1.0, value, request_id, None, answers, quantity))

    def sums(self, *metrics: Metric, rules: Rules = RULES) -> ExperimentSums:
        asyncio.run(self.lake.drain())
        return of_lake(self.lake.path, {"exp": metrics or DEFAULT_METRICS}, rules)["exp"]

    def arm(self, name: str = "a", *metrics: Metric) -> ArmSums:
        return self.sums(*metrics).arms.get(name, ArmSums())

    def metric(self, name: str, arm: str = "a") -> MetricSums:
        return self.arm(arm).metrics[name]


@pytest.fixture
def shop(store: StreamInMemory, lake: Lake) -> Shop:
    return Shop(store, lake)


def days(count: float) -> float:
    return count * DAY_MS / 1000


def test_an_arm_has_its_lists_people_clicks_and_money(shop: Shop) -> None:
    shop.shows("l1", at=0)
    shop.shows("l2", at=5, items=())
    shop.shows("l3", GUEST, arm="b", at=6)
    shop.shows("l4", None, arm="b", at=7)
    shop.shows("l5", BEN, arm=None)
    shop.shows("l6", BEN, experiment="another")
    shop.sees(at=10, answers="l1")
    for value in (3.0, 4.0):
        shop.sees(at=20, does="purchase", value=value)
    shop.sees(BEN, at=20, does="purchase", value=99.0)
    of_anna = {
        "click_rate": ONCE,
        "conversion_rate": ONCE,
        "revenue_per_unit": MetricSums(outcomes=1, total=7.0, squares=49.0),
    }
    latency = {"latency_ms_sum": 5.0, "unit_latency_ms_sum": 2.5, "unit_latency_ms_squares": 6.25}
    assert shop.sums().arms == {
        "a": ArmSums(exposures=2, empty_exposures=1, clicked_exposures=1, units=1, metrics=of_anna, **latency),
        "b": ArmSums(exposures=2, units=1, metrics=dict.fromkeys(of_anna, NOTHING), **latency),
    }


def test_a_unit_is_as_quick_as_the_lists_of_its_own_arm_are_on_average(shop: Shop) -> None:
    for at, latency_ms in enumerate((10.0, 20.0)):
        shop.shows(f"anna-{at}", at=at, latency_ms=latency_ms)
    shop.shows("other-arm", arm="b", at=5, latency_ms=900.0)
    shop.shows("ben", BEN, at=6, latency_ms=30.0)
    arm = shop.arm()
    assert (arm.units, arm.unit_latency_ms_sum, arm.unit_latency_ms_squares) == (2, 45.0, 15.0**2 + 30.0**2)


def test_an_experiment_that_nobody_was_in_has_no_arms(shop: Shop) -> None:
    assert shop.sums() == ExperimentSums(metrics=DEFAULT_METRICS)
    shop.sees(does="purchase", value=1.0)
    assert shop.sums().arms == {}


@pytest.mark.parametrize(
    ("who", "item", "does", "at", "answers", "is_click"),
    [
        (ANNA, "i", "view", 1, "l", True),
        (ANNA, "j", "purchase", days(6.9), "l", True),
        (ANNA, "i", "view", -299, "l", True),  # a shop's clock that is behind
        (ANNA, "i", "view", -301, "l", False),
        (ANNA, "i", "view", days(7.1), "l", False),
        (BEN, "i", "view", 1, "l", False),
        (ANNA, "another", "view", 1, "l", False),
        (ANNA, "i", "remove", 1, "l", False),
        (ANNA, "i", "view", 1, "another", False),
        (ANNA, "i", "view", 1, None, False),
    ],
)
def test_a_click_is_an_event_of_the_same_person_on_an_item_of_the_list_within_the_window(
    shop: Shop, who: Subject, item: str, does: str, at: float, answers: str | None, is_click: bool
) -> None:
    shop.shows("l")
    shop.sees(who, item=item, does=does, at=at, answers=answers)
    arm = shop.arm()
    assert (arm.clicked_exposures, arm.metrics["click_rate"].outcomes) == (is_click, is_click)


def test_an_event_that_names_the_request_is_a_click_on_the_first_of_its_lists_that_has_the_item(shop: Shop) -> None:
    shop.shows("l1", at=0, items=("i",), request_id="trace")
    shop.shows("l2", at=1, items=("i", "j"), request_id="trace")
    shop.sees(at=2, item="i", request_id="trace")
    assert shop.arm().clicked_exposures == 1
    shop.sees(at=3, item="j", request_id="trace")
    assert shop.arm().clicked_exposures == 2


@pytest.mark.parametrize(("does", "at", "value"), [("order", 5, 2.0), ("order", -1, 2.0), ("purchase", 5, 0.0)])
def test_a_conversion_is_what_the_experiment_names_also_by_a_clock_that_is_behind(
    shop: Shop, does: str, at: float, value: float
) -> None:
    shop.shows("l")
    shop.sees(does=does, at=at, value=2.0)
    converted = Metric(name="orders", measure="converted", types=("order",), window_days=1)
    money = Metric(name="money", measure="money", types=("order",))
    metrics = shop.arm("a", converted, money).metrics
    assert (metrics["orders"].outcomes, metrics["money"].total) == (does == "order", value)


def test_a_conversion_outside_of_its_window_does_not_count(shop: Shop) -> None:
    shop.shows("l")
    shop.sees(does="purchase", at=days(2), value=1.0)
    shop.sees(does="purchase", at=-days(2), value=1.0)
    short, long = (Metric(name=f"{n}", measure="count", window_days=n) for n in (1, 3))
    metrics = shop.arm("a", short, long).metrics
    assert (metrics["1"].total, metrics["3"].total) == (0, 1)


def test_money_is_of_every_piece_and_the_count_of_events(shop: Shop) -> None:
    shop.shows("l")
    shop.sees(does="purchase", value=2.5, quantity=6)
    shop.sees(does="remove", value=2.5, quantity=2)
    count, money = Metric(name="count", measure="count"), Metric(name="money", measure="money")
    metrics = shop.arm("a", count, money).metrics
    assert (metrics["money"].total, metrics["count"].total) == (10.0, 1.0)


def test_returns_lower_the_money_and_not_the_count(shop: Shop) -> None:
    shop.shows("l")
    shop.sees(does="purchase", value=10.0)
    shop.sees(does="purchase", value=-4.0)  # a shop that books returns as negative sales
    shop.sees(does="remove", value=1.0)
    shop.sees(does="remove", value=-2.0)  # whatever its sign
    shop.sees(does="remove")  # out of the cart: no value
    count, money = Metric(name="count", measure="count"), Metric(name="money", measure="money")
    metrics = shop.arm("a", count, money).metrics
    assert metrics["money"] == MetricSums(outcomes=1, total=3.0, squares=9.0)
    assert metrics["count"] == MetricSums(outcomes=1, total=2.0, squares=4.0)


def test_a_return_of_a_named_type_is_one_and_no_click(shop: Shop) -> None:
    shop.shows("l")
    shop.sees(does="sent back", value=5.0, answers="l")
    money = Metric(name="money", measure="money", returns=("sent back",))
    arm = shop.arm("a", money, Metric(name="clicks", measure="clicked"))
    assert (arm.metrics["money"].total, arm.metrics["clicks"].outcomes, arm.clicked_exposures) == (-5.0, 0, 0)


def test_what_a_guest_was_shown_and_did_is_the_persons_after_the_sign_in(shop: Shop) -> None:
    shop.shows("l1", GUEST, arm="a")
    shop.sees(GUEST, at=5, does="purchase", value=1.0)
    shop.store._append(Merge("guest", "anna", FIRST_DAY_MS))
    shop.sees(ANNA, at=6, answers="l1")
    shop.sees(ANNA, at=7, does="purchase", value=2.0)
    arm = shop.arm()
    assert (arm.units, arm.clicked_exposures, arm.mixed_units) == (1, 1, 0)
    assert arm.metrics["revenue_per_unit"].total == 3.0


@pytest.mark.parametrize(("of_guest", "of_anna", "first"), [(1, 2, "b"), (2, 1, "a")])
def test_of_two_arms_that_become_one_persons_the_first_counts_and_the_report_shows_it(
    shop: Shop, of_guest: float, of_anna: float, first: str
) -> None:
    shop.shows("l1", GUEST, arm="b", at=of_guest)
    shop.shows("l2", ANNA, arm="a", at=of_anna)
    shop.shows("l3", BEN, arm="a")
    shop.store._append(Merge("guest", "anna", FIRST_DAY_MS))
    shop.sees(ANNA, at=9, does="purchase", value=1.0)
    arms = shop.sums().arms
    assert {name: arm.mixed_units for name, arm in arms.items()} == {first: 1, ({"a", "b"} - {first}).pop(): 0}
    assert arms["a"].units + arms["b"].units == 2
    assert arms[first].metrics["conversion_rate"].outcomes == 1


def test_a_session_of_two_users_is_the_first_ones_until_then(shop: Shop) -> None:
    shop.shows("l1", GUEST, arm="a")
    for user in ("anna", "ben"):
        shop.store._append(Merge("guest", user, FIRST_DAY_MS))
    shop.sees(BEN, at=5, does="purchase", value=1.0)
    assert shop.metric("conversion_rate").outcomes == 0
    shop.sees(ANNA, at=5, does="purchase", value=1.0)
    assert shop.metric("conversion_rate").outcomes == 1


def test_what_a_forgotten_session_did_afterwards_is_whose_it_became_then(shop: Shop) -> None:
    shop.shows("l1", ANNA, arm="a")
    shop.shows("l2", BEN, arm="b")
    shop.store._append(Merge("guest", "anna", FIRST_DAY_MS))
    shop.sees(GUEST, at=5, does="purchase", value=1.0)
    shop.store._append(Merge("guest", "ben", FIRST_DAY_MS))
    assert [shop.metric("conversion_rate", arm).outcomes for arm in ("a", "b")] == [0, 1]


def test_what_is_there_twice_counts_once(shop: Shop) -> None:
    for _ in range(2):  # a connection broke, and the store had written the list already
        shop.shows("l")
        shop.sees(does="purchase", value=2.0, event_id="again")
    arm = shop.arm()
    assert (arm.exposures, arm.metrics["revenue_per_unit"].total) == (1, 2.0)


def test_another_definition_counts_from_the_first_exposure_on(shop: Shop) -> None:
    shop.shows("l")
    shop.sees(does="purchase", value=2.0)
    shop.sees(does="order", value=5.0)
    assert shop.metric("revenue_per_unit").total == 2.0
    assert shop.arm("a", Metric(name="money", measure="money", types=("order",))).metrics["money"].total == 5.0


def test_an_erased_user_is_in_no_sum(shop: Shop) -> None:
    shop.shows("l1", ANNA)
    shop.shows("l2", BEN)
    shop.sees(ANNA, does="purchase", value=1.0)
    assert shop.arm().units == 2
    shop.store.erase("anna")
    assert (shop.arm().units, shop.metric("conversion_rate").outcomes) == (1, 0)


def test_several_experiments_are_summed_apart(shop: Shop) -> None:
    shop.shows("l1", experiment="exp")
    shop.shows("l2", at=1, arm="c", experiment="other")
    shop.sees(at=2, does="purchase", value=3.0)
    asyncio.run(shop.lake.drain())
    found = of_lake(shop.lake.path, {"exp": DEFAULT_METRICS, "other": DEFAULT_METRICS[2:], "third": ()}, RULES)
    assert of_lake(shop.lake.path, {}, RULES) == {}
    assert {name: list(sums.arms) for name, sums in found.items()} == {"exp": ["a"], "other": ["c"], "third": []}
    assert {sums.arms[arm].metrics["revenue_per_unit"].total for sums in found.values() for arm in sums.arms} == {3.0}


def test_a_lake_of_before_there_were_list_ids_is_read(shop: Shop) -> None:
    shop.shows("trace", GUEST)
    shop.sees(GUEST, request_id="trace")
    asyncio.run(shop.lake.drain())
    schemas: dict[Table, pl.Schema] = {"events": EVENTS, "exposures": EXPOSURES}
    for path in shop.lake.files():  # as an older version wrote it
        table: Table = "events" if path.startswith("events") else "exposures"
        old = shop.lake.rows(table).select(schemas[table].names())
        renamed = old.with_columns(request_id=pl.coalesce("list_id", "request_id")).drop("list_id")
        renamed.write_parquet(shop.lake.path / path)
    arm = of_lake(shop.lake.path, {"exp": DEFAULT_METRICS}, RULES)["exp"].arms["a"]
    assert (arm.exposures, arm.clicked_exposures) == (1, 1)


def test_a_damaged_part_is_an_error_that_names_the_lake(shop: Shop) -> None:
    shop.shows("l")
    asyncio.run(shop.lake.drain())
    (part,) = shop.lake.files()
    (shop.lake.path / part).write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"lake: cannot be read"):
        of_lake(shop.lake.path, {"exp": DEFAULT_METRICS}, RULES)


def test_the_window_of_clicks_is_a_setting(shop: Shop) -> None:
    shop.shows("l")
    shop.sees(at=days(2), answers="l")
    one_day = replace(RULES, click_days=1)
    arm = shop.sums(rules=one_day).arms["a"]
    assert (arm.clicked_exposures, arm.metrics["click_rate"].outcomes) == (0, 0)
    own = Metric(name="clicks", measure="clicked", window_days=3)
    arm = shop.sums(own, rules=one_day).arms["a"]
    assert (arm.clicked_exposures, arm.metrics["clicks"].outcomes) == (0, 1)


def test_people_are_summed_in_groups_and_the_groups_together(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(40):
        who = Subject("session" if number % 2 else "user", f"p{number}")
        shop.shows(f"l{number}", who, arm="ab"[number % 3 == 0])
        shop.sees(who, answers=f"l{number}" if number % 4 else None)
        shop.sees(who, does="purchase", value=float(number))
        if number % 8 == 1:
            shop.store._append(Merge(who.id, "p0", FIRST_DAY_MS))
    shop.shows("l", None)
    whole = shop.sums()
    monkeypatch.setattr("event_sink.sums._ROWS_AT_ONCE", 10)
    assert shop.sums() == whole
    assert (whole.arms["a"].exposures, whole.arms["a"].units + whole.arms["b"].units) == (27, 35)


def test_a_part_that_the_sink_has_replaced_meanwhile_is_found_under_its_new_name(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.shows("l1")
    asyncio.run(shop.lake.drain())
    stale = read_committed(shop.lake.path)
    shop.shows("l2", BEN)
    shop.store.erase("anna")
    asyncio.run(shop.lake.drain())
    answers = [stale, read_committed(shop.lake.path)]
    monkeypatch.setattr("recsys.lake.read_committed", lambda _lake: answers.pop(0))
    found = of_lake(shop.lake.path, {"exp": DEFAULT_METRICS}, RULES)["exp"]
    assert (found.arms["a"].units, answers) == (1, [])
