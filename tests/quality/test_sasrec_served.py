"""A published SASRec is served as it was trained, id for id, and by what somebody did a moment ago."""

import numpy as np
import pytest
import torch
from live_shop import Did
from numpy.typing import NDArray
from small_shops import what_comes_next

from candidate_gen.campaigns.campaigns import Campaign
from candidate_gen.query.query_vectors import VectorOrigin
from candidate_gen.retriever import Asker, Conditions, Retrieved, Retriever
from candidate_gen.sources import SourceCounts
from recsys.artifact import layout
from recsys.artifact.manifest import BlendInfo
from recsys.artifact.reader import Artifact, open_artifact
from recsys.feature_store.follower import LiveState
from trainer import pipeline
from trainer.choosing import recipe as recipes
from trainer.choosing.recipe import ALSRecipe, Recipe, SASRecRecipe
from trainer.evaluation import ranking, windows
from trainer.models import sequences
from trainer.models.als import ALSSettings
from trainer.models.embeddings import Embeddings
from trainer.models.sasrec import SASRecSettings
from trainer.report import table
from trainer.settings import Settings
from trainer.shop_data import interactions
from trainer.shop_data.interactions import Interactions

SHOP = what_comes_next()
RECIPE = SASRecRecipe(
    settings=SASRecSettings(dim=16, epochs=12, batch_items=256, dropout=0.1, learning_rate=8e-3), recency_strength=0.5
)
COUNT = 10


@pytest.fixture(scope="module", autouse=True)
def one_torch_thread() -> None:
    """Tiny problems on a busy machine: threads that wait for each other cost more than they bring."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def known() -> Interactions:
    return interactions.build(SHOP.events, weights=SHOP.weights, catalogue_items=SHOP.catalogue["item_id"])


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    settings = Settings(artifact_dir=tmp_path_factory.mktemp("volume"))
    outcome = pipeline.train(SHOP, settings=settings, recipe=RECIPE, force=True)
    return open_artifact(layout.version_dir(settings.artifact_dir, outcome.version))


@pytest.fixture(scope="module")
def offline(known: Interactions) -> Embeddings:
    """What the trainer itself ranks by."""
    return recipes.fit(RECIPE, known, recent_days=Settings().recent_days, seed=0)


@pytest.fixture(scope="module")
def retriever(artifact: Artifact) -> Retriever:
    return Retriever(
        artifact, live=LiveState(), counts=SourceCounts(session=0, popular=0, trending=0, new=0, transitions=0)
    )


def lists_of(model: Embeddings, known: Interactions) -> NDArray[np.int32]:
    everybody = np.arange(len(known.user_ids))
    return ranking.top_unseen(model, seen=known.weights, user_rows=everybody, k=COUNT)


def ask(retriever: Retriever, user_id: str, *events: Did, explain: bool = False) -> Retrieved:
    return retriever.candidates(Asker(user_id=user_id, events=events), Conditions(), count=COUNT, explain=explain)


def expected_next(known: Interactions, user: int) -> int:
    """The item that came most often after the user's last one, by everybody's sequences."""
    of_all = sequences.of_users(known)
    last = int(of_all.last()[user])
    after = [
        int(of_all.items[at + 1])
        for start, length in zip(of_all.starts, of_all.lengths, strict=True)
        for at in range(start, start + length - 1)
        if of_all.items[at] == last
    ]
    return int(np.bincount(after).argmax())


def test_served_lists_are_the_offline_lists_id_for_id(
    retriever: Retriever, known: Interactions, offline: Embeddings
) -> None:
    expected = lists_of(offline, known)
    for user, user_id in enumerate(known.user_ids):
        found = ask(retriever, user_id)
        assert found.query.origin is VectorOrigin.TRAINED
        assert list(found.candidates.rows) == expected[user].tolist(), user_id


def test_a_campaigns_lists_are_the_same(
    retriever: Retriever, known: Interactions, offline: Embeddings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the personal score alone; what a blend adds: tests/integration/test_campaign_lists.py."""
    personal = retriever.manifest.model_copy(update={"blend": BlendInfo()})
    monkeypatch.setattr(retriever, "manifest", personal)
    found = Campaign(retriever, Conditions(), count=COUNT).lists(known.user_ids)
    np.testing.assert_array_equal(found.rows.reshape(-1, COUNT), lists_of(offline, known))


def test_a_stranger_with_a_users_history_gets_the_users_list(
    retriever: Retriever, known: Interactions, artifact: Artifact
) -> None:
    """Whom the model never saw is no special case: the encoder knows items, not people."""
    for user in range(0, 100, 5):
        rows = artifact.history.rows(user)
        did = [Did(known.item_ids[row], sequence=1 + n) for n, row in enumerate(rows)]
        found = ask(retriever, "stranger", *did)
        assert found.query.origin is VectorOrigin.FOLDED_IN
        np.testing.assert_allclose(found.query.vector, artifact.user_embeddings[user], rtol=1e-3, atol=1e-4)


def test_an_event_of_a_moment_ago_changes_the_next_list_to_what_comes_after_it(
    retriever: Retriever, known: Interactions
) -> None:
    of_all = sequences.of_users(known)
    right = 0
    for user in range(40):
        other = (user + 97) % len(known.user_ids)  # somebody else's last item, as a new event
        item = known.item_ids[int(of_all.last()[other])]
        found = ask(retriever, known.user_ids[user], Did(item, sequence=1))
        right += expected_next(known, other) in found.candidates.rows[:3]
        by_cart = retriever.candidates(
            Asker(user_id=known.user_ids[user], basket_item_ids=(item,)), Conditions(), count=COUNT
        )
        np.testing.assert_array_equal(by_cart.query.vector, found.query.vector)
    assert right >= 24  # those who had the next item already cannot get it


def test_explain_names_the_last_item_as_the_one_that_weighed_most(retriever: Retriever, known: Interactions) -> None:
    """What comes next is decided by the last item alone: the best item's score must come from there."""
    of_all = sequences.of_users(known)
    named, asked = 0, 0
    for user in np.flatnonzero(of_all.lengths >= 4)[:60].tolist():
        found = ask(retriever, known.user_ids[user], explain=True)
        rows, parts = retriever.queries.contributions(found.query)
        np.testing.assert_allclose(parts.sum(axis=0), found.query.vector, rtol=1e-3, atol=1e-4)
        if found.candidates.rows[0] == expected_next(known, user):
            asked += 1
            values = parts @ retriever.artifact.item_embeddings[found.candidates.rows[0]]
            named += int(rows[values.argmax()]) == int(of_all.last()[user])
    assert asked >= 20
    assert named >= 0.9 * asked


def test_where_order_decides_it_is_better_than_als() -> None:
    window = windows.to_choose_and_judge(SHOP.events, weights=SHOP.weights, settings=Settings())[-1]

    def ndcg(one: Recipe) -> float:
        return table.of_recipe(one, window, recent_days=30).evaluation.mean("ndcg@10")

    als = ALSRecipe(settings=ALSSettings(dim=32, alpha=2, regularization=1))
    assert ndcg(RECIPE) > 1.3 * ndcg(als)
