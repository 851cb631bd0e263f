"""Both stages over gRPC give what plain numpy gives."""

import numpy as np
import pytest
from tiny_artifact import checkerboard, publish, random_shop
from two_services import System


@pytest.mark.parametrize(("factory", "effort"), [("Flat", None), ("SQ8", None), ("IVF8,SQ8", 8)])
def test_the_best_items_are_exactly_those_of_numpy(system: System, factory: str, effort: int | None) -> None:
    shop = random_shop(seed=11, users=5, items=300)
    publish(shop, system.volume, factory=factory, search_effort=effort)
    system.poll()
    for user, user_id in enumerate(shop.user_ids):
        exact = shop.item_embeddings @ shop.user_embeddings[user]
        exact[~shop.available] = -np.inf
        exact[shop.histories[user]] = -np.inf
        best = [row for row in np.argsort(-exact)[:10].tolist() if exact[row] > -np.inf]

        ranked = system.rerank(system.candidates(user_id, count=100), count=10)

        assert [each.item.item_id for each in ranked.items] == [shop.item_ids[row] for row in best]
        np.testing.assert_allclose([each.score for each in ranked.items], exact[best], rtol=1e-5, atol=1e-6)


def test_the_checkerboard_comes_out_right(system: System) -> None:
    publish(checkerboard(), system.volume)
    system.poll()
    for user in range(6):
        user_id = f"user-{user:02d}"
        best = system.rerank(system.candidates(user_id, count=12), count=1).items[0]
        assert best.item.item_id == f"item-{user:02d}"
        assert best.item.title == f"Item number {user}"
