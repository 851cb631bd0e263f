"""What is bought together, and its own measure, on baskets worked out by hand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from recsys.artifact.manifest import TransitionsInfo
from trainer.evaluation import basket_completion
from trainer.models import bought_together, transitions

START = datetime(2026, 1, 1, 9, tzinfo=UTC)
ITEMS = ["a", "b", "c", "d"]
PLAIN = TransitionsInfo(counted="together", source_exponent=0, target_exponent=0)


def events(*rows: tuple[str, str, str, int]) -> pl.DataFrame:
    """User, item, type and day of each."""
    return pl.DataFrame(
        {
            "user_id": [row[0] for row in rows],
            "item_id": [row[1] for row in rows],
            "event_type": pl.Series([row[2] for row in rows], dtype=pl.Categorical),
            "timestamp": pl.Series([START + timedelta(days=row[3]) for row in rows], dtype=pl.Datetime("us", "UTC")),
            "quantity": pl.Series([None] * len(rows), dtype=pl.Float64),
            "value": pl.Series([None] * len(rows), dtype=pl.Float64),
        }
    )


def bought(*baskets: tuple[str, str, int]) -> pl.DataFrame:
    """User, items and day of each."""
    return events(*((user, item, "purchase", day) for user, items, day in baskets for item in items))


def lists(frame: pl.DataFrame, info: TransitionsInfo) -> list[str]:
    found = basket_completion.together(transitions.fit(bought_together.baskets(frame, ITEMS), info))
    return ["".join(ITEMS[row] for row in rows if row >= 0) for rows in found]


def test_a_basket_is_what_one_person_bought_on_one_day() -> None:
    frame = events(
        ("u", "a", "purchase", 0),
        ("u", "b", "view", 0),
        ("u", "c", "purchase", 0),
        ("u", "d", "purchase", 1),
        ("v", "b", "purchase", 0),
    )
    found = bought_together.baskets(frame, ITEMS)
    assert found.user_ids == ["u 2026-01-01", "u 2026-01-02", "v 2026-01-01"]
    assert [bought_together.buyer(one) for one in found.user_ids] == ["u", "u", "v"]
    assert found.weights.toarray().tolist() == [[1, 0, 1, 0], [0, 0, 0, 1], [0, 1, 0, 0]]


def test_what_was_taken_back_was_not_bought_even_where_it_came_back_later() -> None:
    frame = events(("u", "a", "purchase", 0), ("u", "b", "purchase", 0), ("u", "b", "remove", 5))
    assert bought_together.baskets(frame, ITEMS).weights.toarray().tolist() == [[1, 0, 0, 0]]


def test_items_lead_to_those_that_share_their_baskets_the_most_often_first() -> None:
    frame = bought(("u", "ab", 0), ("u", "abc", 3), ("v", "d", 3))
    assert lists(frame, PLAIN) == ["bc", "ac", "ab", ""]


def test_a_popular_item_comes_behind_one_that_belongs_to_the_item() -> None:
    frame = bought(("u", "abc", 0), ("v", "ac", 0), *((f"x{n}", "cd", 0) for n in range(9)))
    assert lists(frame, PLAIN)[0] == "cb"
    assert lists(frame, PLAIN.model_copy(update={"target_exponent": 0.8}))[0] == "bc"


def test_shrinkage_takes_a_count_as_its_square_over_itself_and_the_shrinkage() -> None:
    of_baskets = bought_together.baskets(bought(("u", "ab", 0), ("v", "abc", 0)), ITEMS)
    found = transitions.fit(of_baskets, PLAIN.model_copy(update={"shrinkage": 3.0}))
    assert found.items[:2].tolist() == [1, 2]
    assert found.scores[:2].tolist() == pytest.approx([2 * 2 / 5, 1 / 4])


def test_the_measure_gives_each_item_of_a_basket_and_averages_over_people() -> None:
    frame = bought(("u", "ab", 0), ("v", "cd", 0), ("u", "abc", 9), ("v", "cd", 9), ("w", "a", 9))
    before, held = basket_completion.split(frame, ITEMS, cut=START + timedelta(days=5))
    assert held.buyers == ["u", "v"]  # a basket of one item tells nothing
    found = held.recall(basket_completion.together(transitions.fit(before, PLAIN)))
    # u: a → b of b and c, b → a of a and c, c → d of a and b
    assert found.tolist() == pytest.approx([1 / 3, 1.0])


def test_an_item_that_nobody_bought_before_is_not_asked_for() -> None:
    frame = bought(("u", "ab", 0), ("u", "abd", 9))
    _, held = basket_completion.split(frame, ITEMS, cut=START + timedelta(days=5))
    assert [rows.tolist() for rows in held.items] == [[0, 1]]


def test_no_list_has_its_own_item_and_a_short_one_is_filled() -> None:
    of_baskets = bought_together.baskets(bought(("u", "ab", 0), ("v", "a", 0), ("v", "c", 1)), ITEMS)
    popular = basket_completion.popular(of_baskets)
    assert popular.tolist() == [[1, 2, 3, -1], [0, 2, 3, -1], [0, 1, 3, -1], [0, 1, 2, -1]]
    together = basket_completion.together(transitions.fit(of_baskets, PLAIN))
    assert basket_completion.filled(together, popular)[:, :3].tolist() == [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]
    assert basket_completion.similar(np.eye(4, dtype=np.float32)[[0, 1, 0, 1]], np.arange(4, dtype=np.int32))[
        :, 0
    ].tolist() == [2, 3, 0, 1]


def test_what_did_best_on_the_held_out_baskets_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(basket_completion, "K", 1)
    frame = bought(("u", "abc", 0), ("v", "ac", 0), *((f"x{n}", "cd", 0) for n in range(9)))
    before, held = basket_completion.split(
        pl.concat([frame, bought(("u", "ab", 9))]), ITEMS, cut=START + timedelta(days=5)
    )
    assert basket_completion.choose(before, held).target_exponent == 0.5  # the first that puts b before c
    assert basket_completion.choose(before, replace(held, items=[], buyers=[])) == bought_together.WORTH_TRYING[0]
