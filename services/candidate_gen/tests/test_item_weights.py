"""A history and what came after it."""

import numpy as np
from live_shop import Did

from candidate_gen.query.item_weights import (
    NO_HISTORY,
    EventWeights,
    TrainedHistory,
    acts_since,
    all_returned,
    together,
)

WEIGHTS = EventWeights({"view": 1.0, "cart": 3.0, "purchase": 5.0, "impression": 0.0})
TRAINED = TrainedHistory(
    rows=np.array([4, 2, 7]),
    weights=np.array([5.0, 1.0, 11.0]),
    times=np.array([60, 50, 40]),
    purchased=np.array([True, False, True]),
    others=np.array([0.0, 1.0, 1.0]),
)


def after(*events: Did, basket: tuple[str, ...] = (), trained: TrainedHistory = TRAINED) -> dict[int, float]:
    """Row → weight, most recent first. Items are called by their rows, from 0 to 9."""
    live = acts_since(
        events,
        basket,
        after_sequence=0,
        row_of=lambda item_id: int(item_id) if item_id in "0123456789" else None,
        weights=WEIGHTS,
    )
    found = together(trained, live, WEIGHTS)
    return dict(zip(found.rows.tolist(), found.weights.tolist(), strict=True))


def times_after(*events: Did, basket: tuple[str, ...] = ()) -> dict[int, int]:
    """Row → time of the last event, most recent first."""
    live = acts_since(events, basket, after_sequence=0, row_of=int, weights=WEIGHTS)
    found = together(TRAINED, live, WEIGHTS)
    return dict(zip(found.rows.tolist(), found.times.tolist(), strict=True))


def test_without_anything_new_it_is_the_history_as_it_was() -> None:
    assert list(after().items()) == [(4, 5.0), (2, 1.0), (7, 11.0)]


def test_what_was_done_last_stands_first_and_adds_to_what_was() -> None:
    found = after(Did("2", "view"), Did("9", "cart"), Did("2", "cart"))
    assert list(found.items()) == [(2, 1 + 1 + 3), (9, 3.0), (4, 5.0), (7, 11.0)]


def test_a_cart_counts_as_bought_just_now() -> None:
    assert list(after(Did("9", "view"), basket=("3", "7")).items()) == [
        (3, 5.0), (7, 16.0), (9, 1.0), (4, 5.0), (2, 1.0),
    ]  # fmt: skip


def test_an_item_has_the_time_of_its_last_event() -> None:
    assert times_after() == {4: 60, 2: 50, 7: 40}
    found = times_after(Did("2", unix_s=90), Did("9", "view", unix_s=80), Did("2", unix_s=70))
    assert found == {2: 90, 9: 80, 4: 60, 7: 40}
    assert times_after(Did("4", unix_s=10))[4] == 60  # an event that arrived late


def test_a_cart_and_an_event_without_a_time_happened_just_now() -> None:
    assert times_after(Did("9", unix_s=80), basket=("3", "2")) == {3: 81, 2: 81, 9: 80, 4: 60, 7: 40}
    assert times_after(Did("9")) == {9: 61, 4: 60, 2: 50, 7: 40}


def test_a_removal_takes_up_nothing() -> None:
    assert times_after(Did("7", "remove", unix_s=90))[7] == 40


def test_a_removal_takes_back_the_latest_purchase_before_it() -> None:
    assert after(Did("9", "remove"), Did("9", "purchase"), Did("9", "view"))[9] == 1
    assert 9 not in after(Did("9", "remove"), Did("9", "purchase"))
    assert after(Did("9", "purchase"), Did("9", "remove"))[9] == 5  # nothing before it to take back


def test_a_removal_reaches_into_the_trained_history() -> None:
    assert 4 not in after(Did("4", "remove"))
    assert after(Did("7", "remove"))[7] == 6
    assert after(*[Did("7", "remove")] * 5)[7] == 1  # two purchases and a view: the view stays
    assert after(Did("2", "remove"))[2] == 1  # never bought


def test_unknown_items_and_types_without_weight_change_nothing() -> None:
    assert after(Did("stranger"), Did("9", "impression"), Did("8", "wink"), basket=("another",)) == after()


def test_events_that_the_version_knows_already_do_not_count_twice() -> None:
    events = [Did("9", "view", sequence=8), Did("8", "view", sequence=7)]
    live = acts_since(events, (), after_sequence=7, row_of=int, weights=WEIGHTS)
    assert [each.row for each in live] == [9]


def test_a_stranger_has_what_they_did_live() -> None:
    assert list(after(Did("1", "cart"), Did("0", "view"), trained=NO_HISTORY).items()) == [(1, 3.0), (0, 1.0)]


def test_a_shop_without_purchases_takes_its_strongest_type_for_one() -> None:
    assert EventWeights({"play": 2.0, "like": 4.0}).purchase == 4
    assert EventWeights({}).purchase == 0


def returned(*events: Did) -> list[int]:
    """Rows bought in training and returned since, most recent event first."""
    live = acts_since(events, (), after_sequence=0, row_of=int, weights=WEIGHTS)
    return all_returned(TRAINED, live, WEIGHTS).tolist()


def test_a_trained_purchase_is_returned_when_every_one_was_taken_back() -> None:
    assert returned(Did("4", "remove")) == [4]
    assert returned(Did("7", "remove")) == []  # one of two
    assert returned(Did("7", "remove"), Did("7", "remove"), Did("4", "view")) == [7]
    assert returned(Did("4", "purchase"), Did("4", "remove")) == []  # bought once more since
    assert returned(Did("2", "remove"), Did("9", "remove"), Did("9", "purchase")) == []  # not bought in training


def test_looking_at_an_item_before_buying_it_once_does_not_pass_for_a_second_purchase() -> None:
    bought_once = TrainedHistory(  # two views and a cart before it
        rows=np.array([4]),
        weights=np.array([10.0]),
        times=np.array([60]),
        purchased=np.array([True]),
        others=np.array([4.0]),
    )
    live = acts_since([Did("4", "remove")], (), after_sequence=0, row_of=int, weights=WEIGHTS)
    assert all_returned(bought_once, live, WEIGHTS).tolist() == [4]
