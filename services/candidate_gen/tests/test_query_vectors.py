"""Whose vector it is, where it comes from, and what it is made of."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from live_shop import Did, erase
from tiny_artifact import checkerboard, publish, random_shop, with_als_fold_in

from candidate_gen.excluded import Seen
from candidate_gen.query.query_vectors import VectorOrigin
from candidate_gen.retriever import Asker, Conditions, Retrieved, Retriever
from candidate_gen.sources import SourceCounts
from recsys.artifact.reader import open_artifact
from recsys.feature_store.follower import LiveState
from recsys.v1.candidate_gen_service_pb2 import VectorOrigin as WireVectorOrigin

GOLDEN_V1 = Path(__file__).parents[3] / "tests" / "golden" / "artifact_v1"
SHOP = with_als_fold_in(random_shop(seed=5, users=4, items=40))
USER, UP_TO = "user-00001", 100


@pytest.fixture
def live() -> LiveState:
    return LiveState()


@pytest.fixture
def retriever(tmp_path: Path, live: LiveState) -> Retriever:
    artifact = open_artifact(publish(SHOP, tmp_path, stream_sequence=UP_TO))
    return Retriever(artifact, live=live, counts=SourceCounts())


def ask(
    retriever: Retriever,
    user_id: str = "",
    *events: Did,
    basket: tuple[str, ...] = (),
    seen: Seen = Seen(),  # noqa: B008 # frozen
    explain: bool = False,
) -> Retrieved:
    asker = Asker(user_id=user_id, events=events, basket_item_ids=basket)
    return retriever.candidates(asker, Conditions(seen=seen), count=5, explain=explain)


def test_without_later_events_and_without_a_cart_the_embedding_stays_as_trained(retriever: Retriever) -> None:
    known = Did("item-00003", sequence=UP_TO)
    for events in ([], [known], [Did("stranger", sequence=UP_TO + 1)], [Did("item-00003", "wink", UP_TO + 1)]):
        query = ask(retriever, USER, *events).query
        assert query.origin is VectorOrigin.TRAINED
        np.testing.assert_array_equal(query.vector, SHOP.user_embeddings[1])


def test_a_later_event_or_a_cart_moves_the_vector(retriever: Retriever) -> None:
    by_event = ask(retriever, USER, Did("item-00003", sequence=UP_TO + 1)).query
    by_cart = ask(retriever, USER, basket=("item-00003",)).query
    assert by_event.origin is by_cart.origin is VectorOrigin.FOLDED_IN
    np.testing.assert_array_equal(by_event.vector, by_cart.vector)
    assert not np.allclose(by_event.vector, SHOP.user_embeddings[1], rtol=1e-2)


def test_who_does_now_what_a_trained_user_did_gets_that_users_vector(retriever: Retriever) -> None:
    events = [Did(SHOP.item_ids[row], "view") for row in SHOP.histories[1]]  # of weight 1, as in training
    query = ask(retriever, "", *events).query
    assert query.origin is VectorOrigin.FOLDED_IN
    np.testing.assert_allclose(query.vector, SHOP.user_embeddings[1], rtol=1e-3, atol=1e-4)


def test_of_a_stranger_every_live_event_counts_whatever_its_sequence(retriever: Retriever) -> None:
    assert ask(retriever, "", Did("item-00003", sequence=1)).query.origin is VectorOrigin.FOLDED_IN
    assert ask(retriever, "nobody", Did("item-00003", sequence=1)).query.origin is VectorOrigin.FOLDED_IN
    assert ask(retriever, "nobody").query.origin is VectorOrigin.NONE


def test_an_erased_user_is_a_stranger(retriever: Retriever, live: LiveState) -> None:
    before = ask(retriever, USER)
    erase(live, USER)
    after = ask(retriever, USER)
    assert (before.query.origin, after.query.origin) == (VectorOrigin.TRAINED, VectorOrigin.NONE)
    assert after.matching_items == np.count_nonzero(SHOP.available)  # nothing is seen either
    again = ask(retriever, USER, Did("item-00003", sequence=1)).query
    np.testing.assert_array_equal(again.vector, ask(retriever, "", Did("item-00003", sequence=1)).query.vector)


def test_who_came_back_after_the_erasure_is_known_to_a_version_that_was_trained_since(
    retriever: Retriever, live: LiveState
) -> None:
    erase(live, USER, sequence=UP_TO)
    assert ask(retriever, USER).query.origin is VectorOrigin.TRAINED
    erase(live, USER, sequence=UP_TO + 1)
    assert ask(retriever, USER).query.origin is VectorOrigin.NONE


def test_an_erasure_that_the_caller_tells_of_counts_before_it_is_followed(retriever: Retriever) -> None:
    def origin(erased_sequence: int) -> VectorOrigin:
        asker = Asker(user_id=USER, erased_sequence=erased_sequence)
        return retriever.candidates(asker, Conditions(), count=5).query.origin

    assert (origin(UP_TO), origin(UP_TO + 1)) == (VectorOrigin.TRAINED, VectorOrigin.NONE)


@pytest.mark.parametrize("events", [(), (Did("item-00003", sequence=UP_TO + 1), Did("item-00009", "view", UP_TO + 2))])
def test_contributions_sum_to_the_personal_score_of_every_item(retriever: Retriever, events: tuple[Did, ...]) -> None:
    query = ask(retriever, USER, *events, explain=True).query
    rows, vectors = retriever.queries.contributions(query)
    assert len(rows) >= len(SHOP.histories[1])
    scores = SHOP.item_embeddings @ query.vector
    np.testing.assert_allclose((SHOP.item_embeddings @ vectors.T).sum(axis=1), scores, rtol=1e-3, atol=1e-3)


def test_only_what_was_seen_by_the_types_asked_for_is_excluded(retriever: Retriever) -> None:
    had = set(SHOP.histories[1])
    everything = np.flatnonzero(SHOP.available)
    for types, excluded in (((), had), (("purchase",), had), (("view",), set()), (("view", "purchase"), had)):
        expected = len(set(everything.tolist()) - excluded)
        assert ask(retriever, USER, seen=Seen(event_types=types)).matching_items == expected
    assert ask(retriever, USER, seen=Seen(is_included=True)).matching_items == len(everything)


def test_a_version_of_format_1_folds_nothing_in_but_serves_its_users(live: LiveState) -> None:
    [version] = (GOLDEN_V1 / "versions").iterdir() if (GOLDEN_V1 / "versions").is_dir() else [GOLDEN_V1]
    retriever = Retriever(open_artifact(version), live=live, counts=SourceCounts())
    artifact = retriever.artifact
    user_id, item_id = artifact.users.id_of(0), artifact.items.id_of(0)
    assert ask(retriever, user_id, Did(item_id, sequence=9)).query.origin is VectorOrigin.TRAINED
    assert ask(retriever, "", Did(item_id, sequence=9)).query.origin is VectorOrigin.NONE
    rows, vectors = retriever.queries.contributions(ask(retriever, user_id, explain=True).query)
    assert (len(rows), vectors.shape) == (0, (0, artifact.manifest.dim))


def test_a_zero_embedding_is_no_vector(tmp_path: Path, live: LiveState) -> None:
    board = checkerboard()
    shop = replace(board, user_embeddings=np.zeros_like(board.user_embeddings))
    retriever = Retriever(open_artifact(publish(shop, tmp_path)), live=live, counts=SourceCounts())
    assert ask(retriever, "user-00").query.origin is VectorOrigin.NONE


def test_a_trained_purchase_that_was_returned_since_may_be_an_answer_again(retriever: Retriever) -> None:
    def excluded(*events: Did, types: tuple[str, ...] = ()) -> int:
        return ask(retriever, USER, *events, seen=Seen(event_types=types), explain=True).dropped["seen"]

    item_id = SHOP.item_ids[SHOP.histories[1][0]]
    bought = excluded()
    assert excluded(types=("purchase",)) == bought
    for types in ((), ("purchase",)):
        assert excluded(Did(item_id, "remove", UP_TO + 1), types=types) == bought - 1
    assert excluded(Did(item_id, "remove", UP_TO)) == bought  # the version knows that one already
    assert excluded(Did(item_id, "remove", UP_TO + 2), Did(item_id, "purchase", UP_TO + 1)) == bought


def test_origins_are_numbered_as_on_the_wire() -> None:
    assert {f"VECTOR_ORIGIN_{origin.name}": origin.value for origin in VectorOrigin} == {
        name: number for name, number in WireVectorOrigin.items() if name != "VECTOR_ORIGIN_UNSPECIFIED"
    }
