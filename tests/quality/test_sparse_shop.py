"""Many users and items, few pairs: what the trainer chooses is not below the best baseline by more than noise."""

import pytest

from benchmarks.sparse_shop import SparseShop, choose
from trainer.evaluation import windows
from trainer.settings import Settings


@pytest.mark.parametrize(
    "shop",
    [
        SparseShop(users=3_000, items=2_750, pairs=42_000, follows=0.4, taste=0),
        SparseShop(users=10_500, items=10_300, pairs=140_000, follows=0.2, taste=0.7),
        # series, too many items for EASE, and nobody noted when
        SparseShop(users=3_500, items=4_300, pairs=38_000, follows=0.7, taste=0, has_times=False),
    ],
)
def test_what_is_chosen_for_a_sparse_shop_is_not_below_the_best_baseline(shop: SparseShop) -> None:
    """As of two million pairs, which `python -m benchmarks.sparse_shop` makes and docs/evaluation.md shows."""
    settings = Settings(selection_users=2_000)
    chosen = choose(
        windows.to_choose_and_judge(shop.events(), weights={"purchase": 1.0}, settings=settings), settings=settings
    )
    assert chosen.gain.high > 0, (chosen.row, chosen.gain)
