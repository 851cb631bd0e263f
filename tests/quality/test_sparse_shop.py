"""Many users and items, few pairs: what the trainer chooses is not below the best baseline by more than noise."""

import pytest
from small_shops import pairs_of_items

from benchmarks.sparse_shop import SparseShop, choose
from trainer.evaluation import windows
from trainer.settings import Settings


@pytest.mark.parametrize(
    "shop",
    [
        SparseShop(users=1_500, items=1_375, pairs=21_000, follows=0.4, taste=0),
        SparseShop(users=10_500, items=10_300, pairs=140_000, follows=0.2, taste=0.7),
    ],
)
def test_what_is_chosen_for_a_sparse_shop_is_not_below_the_best_baseline(shop: SparseShop) -> None:
    """As of two million pairs, which `python -m benchmarks.sparse_shop` makes and docs/evaluation.md shows."""
    settings = Settings(selection_users=2_000)
    chosen = choose(
        windows.to_choose_and_judge(shop.events(), weights={"purchase": 1.0}, settings=settings), settings=settings
    )
    assert chosen.gain.high > 0, (chosen.row, chosen.gain)


def test_what_is_chosen_for_pairs_of_items_without_times_is_better_than_item_knn() -> None:
    """Too many items for EASE, and no vectors hold them: what people have together is counted beside the vectors."""
    settings = Settings(selection_users=2_000)
    shop = pairs_of_items(n_users=4_000, n_items=4_300, n_events=48_000)
    undated = shop.events.with_columns(timestamp=shop.events["timestamp"].min())
    held_out = windows.to_choose_and_judge(undated, weights=shop.weights, settings=settings)
    chosen = choose(held_out, settings=settings)
    assert "transitions (together)" in chosen.row.settings
    assert chosen.gain.low > 0, (chosen.row, chosen.gain)
