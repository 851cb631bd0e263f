"""A small static shop page in Chromium: what a visitor clicks arrives in the event stream with its list."""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from event_stream import Stream
from playwright.sync_api import Page, expect

from recsys.feature_store.interface import Event, Subject
from tools.local_stack import LocalStack

SESSION = "localStorage.getItem('recsys.session')"
REFUSE_EVENTS = """
function refuse(fetch) {
    return (url, init) => url.endsWith("/events") ? Promise.reject(new Error("by fetch")) : fetch(url, init);
}
"""


@pytest.fixture
def shop_url(javascript_package: Path, page_origin: str, stack: LocalStack) -> str:
    return f"{page_origin}/examples/shop.html?api={stack.gateway_url}"


def kinds(events: list[Event]) -> list[str]:
    return [event.event_type for event in events]


def have_been(*expected: str) -> Callable[[list[Event]], bool]:
    return lambda events: len(events) >= len(expected)


def walk_through_the_shop(visitor: Page, address: str) -> tuple[str, str, str]:
    """See the list, click its second item, put it into the cart, buy it; the list, the item and the session."""
    visitor.goto(address)
    cards = visitor.locator("#list li")
    expect(cards).to_have_count(4)
    list_id = visitor.locator("#list").get_attribute("data-recsys-list")
    item_id = cards.nth(1).get_attribute("data-recsys-item")
    assert list_id
    assert item_id
    cards.nth(1).get_by_role("link").click()
    page = visitor.locator("#item")
    expect(page).to_have_attribute("data-recsys-view", item_id)
    page.get_by_role("button", name="Into the cart").click()
    page.get_by_role("button", name="Buy").click()
    return list_id, item_id, str(visitor.evaluate(SESSION))


def test_view_cart_and_purchase_name_the_list_that_was_clicked(visitor: Page, shop_url: str, stream: Stream) -> None:
    list_id, item_id, session_id = walk_through_the_shop(visitor, shop_url)
    events = stream.events(have_been("view", "cart", "purchase"))
    assert sorted(kinds(events)) == ["cart", "purchase", "view"]  # the item's page was the view that the click was
    assert {(each.subject, each.item_id, each.list_id, each.position) for each in events} == {
        (Subject("session", session_id), item_id, list_id, 2)
    }
    assert [each.value for each in events if each.event_type == "purchase"] == [float(item_id[-2:])]
    logged = stream.exposures(lambda shown: list_id in {each.list_id for each in shown})
    (shown,) = [each for each in logged if each.list_id == list_id]
    assert shown.item_ids[1] == item_id
    assert shown.subject == Subject("session", session_id)


def test_what_the_visitor_did_changes_the_list_of_the_next_page(visitor: Page, shop_url: str, stream: Stream) -> None:
    _, item_id, _ = walk_through_the_shop(visitor, shop_url)
    stream.events(have_been("view", "cart", "purchase"))
    visitor.goto(shop_url)
    expect(visitor.locator("#list li")).to_have_count(4)
    expect(visitor.locator(f"#list [data-recsys-item='{item_id}']")).to_have_count(0)


def leave_by_a_click(visitor: Page, address: str) -> str | None:
    """Click an item's link to a file, where nothing is tracked; the list that it was in."""
    visitor.goto(address)
    link = visitor.locator("#list li a").first
    link.evaluate("link => { link.href = '/dist/index.js' }")
    list_id = visitor.locator("#list").get_attribute("data-recsys-list")
    link.click()
    visitor.wait_for_url("**/dist/index.js")
    return list_id


def test_a_click_that_leaves_the_page_is_not_lost(visitor: Page, shop_url: str, stream: Stream) -> None:
    list_id = leave_by_a_click(visitor, shop_url)
    (event,) = stream.events(have_been("view"))
    assert (event.event_type, event.list_id, event.position) == ("view", list_id, 1)


def test_a_browser_without_keepalive_sends_a_beacon(visitor: Page, shop_server: str, closed_stream: Stream) -> None:
    visitor.add_init_script("delete Request.prototype.keepalive; window.fetch = refuse(window.fetch);" + REFUSE_EVENTS)
    list_id = leave_by_a_click(visitor, f"{shop_server}/examples/shop.html")
    (event,) = closed_stream.events(have_been("view"))
    assert (event.event_type, event.list_id, event.position) == ("view", list_id, 1)


def test_a_button_in_the_list_is_an_event_of_it_and_not_a_view(visitor: Page, shop_url: str, stream: Stream) -> None:
    visitor.goto(shop_url)
    visitor.locator("#list li").nth(2).get_by_role("button").click()
    list_id = visitor.locator("#list").get_attribute("data-recsys-list")
    (event,) = stream.events(have_been("cart"))
    assert (event.event_type, event.list_id, event.position) == ("cart", list_id, 3)


def test_an_item_that_no_list_led_to_is_viewed_without_a_list(visitor: Page, shop_url: str, stream: Stream) -> None:
    visitor.goto(f"{shop_url}&item=item-07")
    (event,) = stream.events(have_been("view"))
    assert (event.item_id, event.list_id, event.position) == ("item-07", None, None)


def test_a_list_below_the_fold_is_shown_and_logged_when_it_comes_into_sight(
    visitor: Page, shop_url: str, stream: Stream
) -> None:
    visitor.add_init_script(
        "addEventListener('DOMContentLoaded', () => { document.querySelector('#item').style.height = '3000px' })"
    )
    visitor.goto(shop_url)
    visitor.wait_for_load_state("networkidle")
    assert visitor.locator("#list li").count() == 0
    visitor.locator("#list").evaluate("list => list.scrollIntoView()")
    expect(visitor.locator("#list li")).to_have_count(4)
    subject = Subject("session", str(visitor.evaluate(SESSION)))
    logged = stream.exposures(lambda shown: subject in {each.subject for each in shown})
    # of this visitor: what others were shown before may be logged only now
    (shown,) = [each for each in logged if each.subject == subject]
    assert shown.list_id == visitor.locator("#list").get_attribute("data-recsys-list")


def test_a_page_of_an_origin_that_is_not_named_stands_without_its_list(visitor: Page, shop_url: str) -> None:
    other = shop_url.replace(f"//{urlsplit(shop_url).netloc}", f"//localhost:{urlsplit(shop_url).port}")
    visitor.goto(other)
    expect(visitor.get_by_role("heading", name="A small shop")).to_be_visible()
    expect(visitor.locator("#list")).to_be_hidden()


def test_behind_the_shops_own_server_the_page_holds_no_key(
    visitor: Page, shop_server: str, closed_stream: Stream
) -> None:
    asked: list[str] = []
    visitor.on("request", lambda request: asked.append(f"{request.url} {request.all_headers()}"))
    list_id, item_id, session_id = walk_through_the_shop(visitor, f"{shop_server}/examples/shop.html")
    events = closed_stream.events(have_been("view", "cart", "purchase"))
    assert {(each.subject, each.item_id, each.list_id) for each in events} == {
        (Subject("session", session_id), item_id, list_id)
    }
    assert asked
    assert not [each for each in asked if not each.startswith(shop_server) or "authorization" in each.lower()]


def test_the_shops_own_server_forwards_nothing_of_users(visitor: Page, shop_server: str, closed_stream: Stream) -> None:
    visitor.goto(f"{shop_server}/examples/shop.html")
    expect(visitor.locator("#list li")).to_have_count(4)
    statuses = visitor.evaluate(
        """async () => {
            const post = (path, body) => fetch(path, {method: "POST", body: JSON.stringify(body)});
            const event = {user_id: "user-00", session_id: "s-claims", item_id: "item-03", type: "view"};
            const answers = await Promise.all([
                fetch("/recs/v1/users"), fetch("/recs/v1/users/user-00/history"), fetch("/recs/v1/model"),
                post("/recs/v1/users/user-00/sessions", {session_id: "s"}), post("/recs/v1/items/bulk", {}),
                post("/recs/v1/events", {events: [event]}),
                post("/recs/v1/recommendations", {user_id: "user-00", session_id: "s-claims"}),
            ]);
            return [answers.map((each) => each.status), (await answers[6].json()).subject];
        }"""
    )
    assert statuses == [[403, 403, 403, 403, 403, 200, 200], {"user_id": None, "session_id": "s-claims"}]
    (event,) = closed_stream.events(have_been("view"))
    assert event.subject == Subject("session", "s-claims")


def test_the_example_page_names_nothing_outside_of_itself() -> None:
    text = (Path(__file__).parents[2] / "clients/javascript/examples/shop.html").read_text(encoding="utf-8")
    assert not re.findall(r"https?://", text)
