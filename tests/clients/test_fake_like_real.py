"""The test double of the Python client answers as a running system does, wherever the API promises something.

Each test asks both the same. Where a service of the real one learns of a change a moment later, it is asked until then.
"""

import uuid
from collections.abc import Iterator
from typing import Final

import pytest
import tiny_artifact
from waiting import WITHIN_S, until

from recsys_client import (
    AsyncClient,
    Client,
    DeleteChange,
    Event,
    EventOutcome,
    Filter,
    InvalidRequestError,
    NotFoundError,
    PatchChange,
    PutChange,
    RankedItems,
    WantedList,
)
from recsys_client.testing import FakeGateway
from tools.local_stack import LocalStack

SHOP: Final = tiny_artifact.checkerboard()


@pytest.fixture(scope="module")
def fake() -> FakeGateway:
    """The shop that the real system has, in memory: its items, and what its users bought."""
    gateway = FakeGateway()
    with gateway.client() as client:
        client.change_items(
            [
                PutChange(item_id=item_id, title=f"Item number {row}", category=("even", "odd")[row % 2], price=row)
                for row, item_id in enumerate(SHOP.item_ids)
            ]
        )
        client.post_events(
            [
                Event(user_id=user_id, item_id=SHOP.item_ids[row], type="purchase")
                for user_id, rows in zip(SHOP.user_ids, SHOP.histories, strict=True)
                for row in reversed(rows)
            ]
        )
    return gateway


@pytest.fixture(scope="module", params=["fake", "real"])
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    if request.param == "fake":
        client = request.getfixturevalue("fake").client()
    else:
        client = Client(request.getfixturevalue("stack").gateway_url, timeout_s=WITHIN_S)
    with client:
        yield client


def somebody() -> str:
    """Nobody else's name."""
    return f"somebody-{uuid.uuid4().hex[:8]}"


def ids_of(ranked: RankedItems) -> list[str]:
    return [item.item_id for item in ranked.items]


def test_an_item_is_found_as_it_was_put_changed_and_deleted(client: Client) -> None:
    item_id = f"{somebody()}/a ?"
    client.put_item(
        item_id,
        title="Blue Teapot",
        category="Kitchen",
        price=12.5,
        attributes={"brand": "A", "size": "L"},
        vector=[0.1, 0.2],
    )
    item = client.get_item(item_id)
    assert (item.title, item.category, item.price, item.image_url) == ("Blue Teapot", "Kitchen", 12.5, None)
    assert item.available
    client.patch_item(item_id, price=None, available=False, attributes={"size": None}, vector=None)
    item = client.get_item(item_id)
    assert (item.title, item.price, item.available, item.attributes) == ("Blue Teapot", None, False, {"brand": "A"})
    done = client.delete_item(item_id)
    assert [(each.item_id, each.deleted) for each in done.items] == [(item_id, True)]
    with pytest.raises(NotFoundError) as raised:
        client.get_item(item_id)
    assert raised.value.problem.title == "Not Found"
    assert raised.value.problem.instance.startswith("/v1/items/somebody-")
    assert client.delete_item(item_id).changed == 1


def test_items_by_id_come_in_the_order_that_was_asked_for(client: Client) -> None:
    page = client.get_items(["item-03", "nothing", "item-01"])
    assert [item.item_id for item in page.items] == ["item-03", "item-01"]
    assert page.next_cursor is None


def test_a_search_finds_every_word_and_the_category(client: Client) -> None:
    word = somebody()
    client.put_item(f"{word}-1", title=f"Teapot {word}", category="A")
    client.put_item(f"{word}-2", title=f"{word} teapot", category="B")
    client.put_item(f"{word}-3", title=f"{word} mug", category="B")
    found = until(lambda: client.list_items(query=f"TEAPOT {word}"), lambda page: len(page.items) == 2)
    assert [item.item_id for item in found.items] == [f"{word}-1", f"{word}-2"]
    found = until(lambda: client.list_items(query=word, category="B"), lambda page: len(page.items) == 2)
    assert [item.item_id for item in found.items] == [f"{word}-2", f"{word}-3"]


def test_categories_count_what_is_on_sale_by_name(client: Client) -> None:
    category = f"~{somebody()}"  # after all others
    client.change_items(
        [
            PutChange(item_id=f"{category}-1", category=category),
            PutChange(item_id=f"{category}-2", category=category, available=False),
        ]
    )

    def counts() -> dict[str, int]:
        pages = client.category_pages(page_size=2)
        return {each.category: each.item_count for page in pages for each in page.categories}

    found = until(counts, lambda counts: category in counts)
    assert list(found) == sorted(found)
    assert found[category] == 1


def test_changes_are_made_all_or_none(client: Client) -> None:
    item_id = somebody()
    with pytest.raises(NotFoundError, match="nothing was changed: no item 'nothing' to patch"):
        client.change_items([PutChange(item_id=item_id), PatchChange(item_id="nothing", price=1)])
    with pytest.raises(NotFoundError):
        client.get_item(item_id)
    with pytest.raises(NotFoundError):
        client.patch_item("nothing", price=1)
    done = client.change_items(
        [PutChange(item_id=item_id), PatchChange(item_id=item_id, title="Mug"), DeleteChange(item_id="never-was")]
    )
    assert [(each.item_id, each.deleted) for each in done.items][-1] == ("never-was", True)
    assert client.get_item(item_id).title == "Mug"


def test_pages_of_items_neither_repeat_nor_skip(client: Client) -> None:
    pages = list(client.item_pages(category="odd", page_size=2))
    ids = [item.item_id for page in pages for item in page.items]
    assert ids == ["item-01", "item-03", "item-05", "item-07", "item-09", "item-11"]
    assert [len(page.items) for page in pages] == [2, 2, 2]


def test_pages_of_users_are_ordered_by_id(client: Client) -> None:
    pages = list(client.user_pages(prefix="user-", page_size=4))
    assert [user.user_id for page in pages for user in page.users] == SHOP.user_ids
    assert [user.history_size for user in pages[0].users[:2]] == [5, 5]


def test_events_are_accepted_one_by_one_and_count_once(client: Client) -> None:
    user_id = somebody()
    good = Event(user_id=user_id, item_id="item-01", type="view", value=2.5)
    bad = Event(user_id=user_id, item_id="item-01", type="hover", event_id="bad")
    nobodys = Event(item_id="item-01", type="view", event_id="nobody's")
    unknown = Event(user_id=user_id, item_id=f"unknown-{user_id}", type="view")
    none = Event(user_id=user_id, item_id="item-01", type="cart", quantity=0, event_id="none")
    outcome = client.post_events([good, bad, nobodys, unknown, none])
    assert (outcome.accepted, outcome.duplicates) == (2, 0)
    assert outcome.event_ids == (good.event_id, unknown.event_id)
    assert [(each.index, each.event_id) for each in outcome.rejected] == [(1, "bad"), (2, "nobody's"), (4, "none")]
    assert "view, cart, purchase, remove; found 'hover'" in outcome.rejected[0].reason
    assert "give user_id, session_id or both" in outcome.rejected[1].reason
    assert outcome.rejected[2].reason == "quantity: Input should be greater than or equal to 1, found 0"
    again = client.post_events([good])
    assert (again.accepted, again.duplicates) == (1, 1)
    assert client.get_history(user_id).total == 2
    # events do not wait long for the catalogue to say which items it does not know
    until(lambda: client.post_events([good, unknown]).unknown_items, lambda count: count == 1)


def test_if_no_event_is_good_all_reasons_are_told(client: Client) -> None:
    with pytest.raises(InvalidRequestError) as raised:
        client.post_events([Event(user_id="u", item_id="item-01", type="hover", event_id="bad")])
    assert raised.value.status == 422
    assert raised.value.problem.rejected is not None
    assert raised.value.problem.rejected[0].event_id == "bad"
    assert raised.value.problem.detail.startswith("no event was stored: type: expected one of")


def test_a_history_has_each_item_once_the_latest_first_and_a_removal_takes_a_purchase_back(client: Client) -> None:
    user_id = somebody()

    def did(item_id: str, what: str, quantity: int = 1) -> EventOutcome:
        return client.post_events([Event(user_id=user_id, item_id=item_id, type=what, quantity=quantity)])

    assert not client.get_history(user_id).user_known
    for item_id, what in (("item-01", "view"), ("item-02", "cart"), ("gone", "view"), ("item-01", "purchase")):
        did(item_id, what)
    history = client.get_history(user_id)
    assert [(item.item_id, item.event_type) for item in history.items] == [
        ("item-01", "purchase"),
        ("gone", "view"),
        ("item-02", "cart"),
    ]
    assert (history.items[0].title, history.items[1].title) == ("Item number 1", None)
    assert [item.available for item in history.items] == [True, False, True]
    did("item-01", "remove")
    did("item-03", "purchase", 6)
    did("item-03", "remove", 5)
    assert client.get_history(user_id, count=1).items[0].item_id == "item-03"
    did("item-03", "remove")
    history = client.get_history(user_id, count=1)
    assert [(item.item_id, item.event_type) for item in history.items] == [("gone", "view")]


def test_what_was_done_counts_in_the_next_list(client: Client) -> None:
    session_id = somebody()
    before = client.recommend(session_id=session_id, count=20)
    assert not before.user_known
    assert before.subject is not None
    assert before.subject.session_id == session_id
    assert "item-03" in ids_of(before)
    click = Event(session_id=session_id, item_id="item-03", type="view", list_id=before.list_id, position=1)
    client.post_events([click])
    after = client.recommend(session_id=session_id, count=20)
    assert after.user_known
    assert after.vector == "folded_in"
    assert "item-03" not in ids_of(after)
    assert after.list_id != before.list_id
    assert "item-03" in ids_of(client.recommend(session_id=session_id, count=20, exclude_seen=False))
    assert "item-03" in ids_of(client.recommend(session_id=session_id, count=20, exclude_seen=["purchase"]))


def test_the_lists_of_a_page_share_no_item_and_each_has_its_own_id(client: Client) -> None:
    wanted = [
        WantedList(name="like this", kind="similar", item_id="item-01", count=3),
        WantedList(name="for you", count=3, filter=Filter(exclude_item_ids=["item-07"])),
        WantedList(name="of one unknown", kind="bought_together", item_id=somebody(), count=3),
    ]
    page = client.recommend_lists(wanted, session_id=somebody())
    shown = [item_id for each in page.lists for item_id in ids_of(each)]
    assert [each.name for each in page.lists] == ["like this", "for you", "of one unknown"]
    assert len(shown) == len(set(shown)) == 9
    assert "item-07" not in ids_of(page.lists[1])
    assert len({each.list_id for each in page.lists}) == 3
    assert [each.level for each in page.lists] == ["full"] * 3


def test_a_session_becomes_its_users(client: Client) -> None:
    session_id, user_id = somebody(), somebody()
    client.post_events([Event(session_id=session_id, item_id="item-05", type="cart")])
    merged = client.merge_session(user_id, session_id)
    assert (merged.user_id, merged.session_id, merged.moved_events) == (user_id, session_id, 1)
    client.post_events([Event(session_id=session_id, item_id="item-07", type="cart")])
    assert [item.item_id for item in client.get_history(user_id).items] == ["item-07", "item-05"]
    subject = client.recommend(session_id=session_id).subject
    assert subject is not None
    assert subject.user_id == user_id


def test_an_erased_user_is_unknown(client: Client) -> None:
    user_id = somebody()
    with pytest.raises(NotFoundError, match="was never erased"):
        client.get_erasure(user_id)
    client.post_events([Event(user_id=user_id, item_id="item-05", type="purchase")])
    report = client.erase_user(user_id)
    assert report.store_entries >= 1
    assert report.lake_rows is None
    assert client.get_erasure(user_id).user_hash == report.user_hash
    assert client.get_history(user_id).total == 0
    assert not client.recommend(user_id=user_id).user_known


def test_what_is_not_on_sale_is_in_no_list(client: Client) -> None:
    client.patch_item("item-09", available=False)
    try:
        assert "item-09" not in ids_of(client.recommend(count=100))
        assert "item-09" not in ids_of(client.get_popular_items(count=100))
        assert "item-09" not in ids_of(client.get_trending_items(count=100))
        assert "item-09" not in ids_of(client.get_similar_items("item-01", count=100))
    finally:
        client.patch_item("item-09", available=True)


def test_a_filter_holds_and_the_list_says_how_full_it_is(client: Client) -> None:
    only = Filter(categories=["odd"], min_price=3, max_price=9, exclude_item_ids=["item-05"])
    found = until(lambda: client.recommend(filter=only, count=2), lambda found: found.fill.matching == 3)
    assert set(ids_of(found)) <= {"item-03", "item-07", "item-09"}
    assert (found.fill.asked, found.fill.returned) == (2, 2)
    assert not client.recommend(filter=Filter(attributes={"brand": "none"})).items


def test_a_cart_is_not_recommended_again(client: Client) -> None:
    found = client.recommend(item_ids=["item-01", "item-03"], count=100)
    assert not {"item-01", "item-03"} & set(ids_of(found))


def test_pages_of_a_list_neither_repeat_nor_skip(client: Client) -> None:
    whole = client.recommend(filter=Filter(categories=["even"]), count=100)
    pages = list(client.recommendation_pages(filter=Filter(categories=["even"]), count=4))
    assert [item_id for page in pages for item_id in ids_of(page)] == ids_of(whole)
    assert len({page.list_id for page in pages}) == len(pages) == 2
    assert client.recommend(count=1).next_cursor is None
    with pytest.raises(InvalidRequestError) as raised:
        client.recommend_after("made up")
    assert raised.value.status == 400


def test_popular_and_similar_items_are_of_the_categories_asked_for(client: Client) -> None:
    assert {item.category for item in client.get_popular_items(category=["odd"]).items} == {"odd"}
    similar = client.get_similar_items("item-01", category=["odd"], count=3)
    assert len(similar.items) == 3
    assert "item-01" not in ids_of(similar)
    together = client.get_bought_together("item-01", category=["odd"], count=3)
    assert ids_of(together) == ids_of(similar)  # nothing shares its baskets
    for ask in (client.get_similar_items, client.get_bought_together):
        with pytest.raises(NotFoundError):
            ask("nothing")


def test_a_preview_and_an_explanation_are_given_when_asked_for(client: Client) -> None:
    plain = client.recommend(count=1)
    assert (plain.preview, plain.items[0].explanation, plain.dropped) == (False, None, None)
    looked_at = client.recommend(count=1, preview=True, explain=True)
    assert looked_at.preview
    assert looked_at.items[0].explanation is not None
    assert looked_at.items[0].explanation.rank_by_score >= 1
    assert looked_at.dropped is not None


def test_what_cannot_be_asked_is_named(client: Client) -> None:
    with pytest.raises(InvalidRequestError) as raised:
        client.recommend(count=101)
    assert raised.value.problem.errors is not None
    assert raised.value.problem.errors[0].location == "body.count"
    with pytest.raises(InvalidRequestError) as raised:
        client.get_popular_items(count=0)
    assert raised.value.problem.errors is not None
    assert raised.value.problem.errors[0].location == "query.count"
    with pytest.raises(InvalidRequestError, match="give one of user_id and session_id"):
        client.recommend(user_id="u", session_id="s")


def test_the_live_model_is_described(client: Client) -> None:
    model = client.get_model()
    assert model.services.keys() == {"candidate_gen", "reranker"}
    assert client.get_popular_items().artifact_version == model.artifact_version


@pytest.mark.anyio
@pytest.mark.parametrize("which", ["fake", "real"])
async def test_the_asyncio_client_has_the_same_answers(request: pytest.FixtureRequest, which: str) -> None:
    stack: LocalStack = request.getfixturevalue("stack")
    fake: FakeGateway = request.getfixturevalue("fake")
    user_id = somebody()
    async with fake.async_client() if which == "fake" else AsyncClient(stack.gateway_url, timeout_s=WITHIN_S) as client:
        events = [Event(user_id=user_id, item_id="item-01", type="purchase")]
        assert (await client.post_events(events)).accepted == 1
        assert "item-01" not in ids_of(await client.recommend(user_id=user_id, count=100))
        pages = [page async for page in client.item_pages(category="odd", page_size=4)]
        assert [len(page.items) for page in pages] == [4, 2]
        with pytest.raises(NotFoundError):
            await client.get_item("nothing")
