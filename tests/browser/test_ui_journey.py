"""What a visitor does, in a browser over a running system. What should be on the screen is asked of the REST API."""

import re
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from waiting import WITHIN_S, until

from tests.browser.conftest import LAPTOP, PHONE

TITLE = "h1.page-title"
BEYOND_THE_EDGE = """main => [...main.querySelectorAll("*")]
    .filter(element => element.getBoundingClientRect().right > innerWidth + 1)
    .filter(element => !element.parentElement.closest(".scrolled"))
    .map(element => element.outerHTML.slice(0, 200))"""

TITLES = {
    "/overview": "How the recommendations are",
    "/?user={user}": "{user}",
    "/item?item={item}": None,
    "/catalogue": "What the shop has",
    "/model": None,
    "/data": "What the shop tells",
    "/experiments": "What is being tried",
    "/merchandising": "What the shop wants seen",
}


def ask(gateway_url: str, path: str, **params: str | int) -> dict[str, Any]:
    answer: dict[str, Any] = httpx.get(gateway_url + path, params=params, timeout=WITHIN_S).raise_for_status().json()
    return answer


def cards(page: Page, grid: str) -> Locator:
    """The links, one a card, of a grid: recommended, popular, similar or catalogue."""
    return page.locator(f"[class*='st-key-card-{grid}-'] a")


def expect_within_the_screen(page: Page) -> None:
    """Nothing stands beyond the right edge; some things are laid out a moment after the window has changed."""
    until(lambda: page.get_by_test_id("stMain").evaluate(BEYOND_THE_EDGE), lambda beyond: beyond == [])


def name_of(item: dict[str, Any]) -> str:
    return str(item["title"] or item["item_id"])


def test_a_visitor_picks_a_user_opens_an_item_and_sees_similar_ones(
    laptop: Page, ui_url: str, gateway_url: str
) -> None:
    user_id = ask(gateway_url, "/v1/users", page_size=1)["users"][0]["user_id"]
    path = f"/v1/users/{quote(user_id, safe='')}"
    recommended = ask(gateway_url, f"{path}/recommendations", count=12)["items"]
    history = ask(gateway_url, f"{path}/history", count=12)["items"]

    laptop.goto(ui_url)
    expect(cards(laptop, "recommended")).not_to_have_count(0)
    laptop.locator(".st-key-users").get_by_role("link", name=user_id, exact=True).click()
    expect(laptop.locator(TITLE)).to_have_text(user_id)
    expect(cards(laptop, "recommended")).to_have_text([name_of(item) for item in recommended])
    expect(laptop.locator("[class*='st-key-event-'] a")).to_have_text([name_of(item) for item in history])
    expect(laptop.locator(".st-key-card-recommended-0 .score")).to_have_text(f"{recommended[0]['score']:.3f}")
    expect(laptop.locator(".st-key-card-recommended-0 .badge[data-source=ann]")).to_be_visible()

    cards(laptop, "recommended").first.click()
    expect(laptop.locator(TITLE)).to_have_text(name_of(recommended[0]))
    similar = ask(gateway_url, f"/v1/items/{quote(recommended[0]['item_id'], safe='')}/similar", count=12)["items"]
    expect(cards(laptop, "similar")).to_have_text([name_of(item) for item in similar])

    cards(laptop, "similar").first.click()
    expect(laptop.locator(TITLE)).to_have_text(name_of(similar[0]))
    laptop.get_by_role("link", name=f"Back to user {user_id}").click()
    expect(laptop.locator(TITLE)).to_have_text(user_id)


def test_a_user_that_the_model_does_not_know_gets_popular_items_and_the_reason(laptop: Page, ui_url: str) -> None:
    laptop.goto(ui_url)
    laptop.get_by_placeholder("Type a user id").fill("nobody/knows me?")
    laptop.get_by_role("link", name="nobody/knows me?").click()
    expect(laptop.get_by_role("status").first).to_contain_text("does not know user “nobody/knows me?”")
    expect(cards(laptop, "recommended")).not_to_have_count(0)
    expect(laptop.locator(".badge[data-source=popular]").first).to_be_visible()


def test_a_search_of_the_catalogue_can_be_shared_by_its_address(laptop: Page, ui_url: str, gateway_url: str) -> None:
    item = ask(gateway_url, "/v1/items", page_size=100)["items"][-1]
    word = max(re.findall(r"\w+", name_of(item)), key=len)
    other_titles = re.compile(rf"^(?!.*{word})", re.IGNORECASE)

    laptop.goto(ui_url)
    laptop.get_by_role("link", name="Catalogue").click()
    laptop.get_by_placeholder("Words of the title").fill(word)
    expect(laptop).to_have_url(re.compile(r"\?query="))
    expect(cards(laptop, "catalogue").filter(has_text=other_titles)).to_have_count(0)
    expect(cards(laptop, "catalogue")).not_to_have_count(0)
    found = cards(laptop, "catalogue").all_inner_texts()

    shared = laptop.context.new_page()
    shared.goto(laptop.url)
    expect(shared.get_by_placeholder("Words of the title")).to_have_value(word)
    expect(cards(shared, "catalogue")).to_have_text(found)


def test_the_catalogue_turns_its_pages(laptop: Page, ui_url: str, gateway_url: str) -> None:
    first = ask(gateway_url, "/v1/items", page_size=24)
    second = ask(gateway_url, "/v1/items", page_size=24, cursor=first["next_cursor"])
    laptop.goto(f"{ui_url}/catalogue")
    for button, items in ((None, first), ("Next", second), ("Previous", first)):
        if button:
            laptop.get_by_role("button", name=button).click()
        expect(cards(laptop, "catalogue")).to_have_text([name_of(item) for item in items["items"]])


def test_the_model_page_shows_the_live_version_and_its_metrics(laptop: Page, ui_url: str, gateway_url: str) -> None:
    model = ask(gateway_url, "/v1/model")
    laptop.goto(ui_url)
    laptop.get_by_role("link", name="Model").click()
    expect(laptop.locator(TITLE)).to_have_text(model["artifact_version"])
    expect(laptop.locator("table.metrics tbody tr td:first-child")).to_have_text(
        [metric["name"] for metric in model["metrics"]]
    )
    expect(laptop.locator("ul.versions .badge[data-source=live]")).to_have_count(2)


def test_an_unknown_item_is_a_sentence_and_no_traceback(laptop: Page, ui_url: str) -> None:
    laptop.goto(f"{ui_url}/item?item=no-such-item")
    expect(laptop.get_by_role("alert")).to_contain_text("no-such-item")
    expect(laptop.get_by_test_id("stException")).to_have_count(0)


@pytest.mark.parametrize("path", ["/", "/?user={user}", "/item?item={item}", "/catalogue", "/model"])
def test_nothing_is_wider_than_a_phone(phone: Page, ui_url: str, gateway_url: str, path: str) -> None:
    user = ask(gateway_url, "/v1/users", page_size=1)["users"][0]["user_id"]
    item = ask(gateway_url, "/v1/items", page_size=1)["items"][0]["item_id"]
    phone.goto(ui_url + path.format(user=quote(user, safe=""), item=quote(item, safe="")))
    shown = phone.locator("[class*='st-key-card-'], table.metrics")
    expect(shown.first).to_be_visible()
    for menu_entry in ("For you", "Catalogue", "Model"):
        expect(phone.get_by_role("link", name=menu_entry, exact=True)).to_be_in_viewport(ratio=1)
    expect_within_the_screen(phone)


def test_the_page_asks_nobody_but_its_own_server(laptop: Page, ui_url: str, gateway_url: str) -> None:
    hosts: set[str] = set()
    laptop.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    laptop.goto(f"{ui_url}/model")
    expect(laptop.locator(TITLE)).to_have_text(ask(gateway_url, "/v1/model")["artifact_version"])
    assert hosts == {urlsplit(ui_url).netloc}


def test_what_an_anonymous_visitor_does_changes_the_next_list_and_says_why(laptop: Page, ui_url: str) -> None:
    laptop.goto(ui_url)
    expect(laptop.get_by_role("heading", name="Popular now")).to_be_visible()
    bought = cards(laptop, "recommended").first.inner_text()
    laptop.locator(".st-key-card-recommended-0").get_by_role("button", name="Buy").click()
    expect(laptop.get_by_role("heading", name="For you")).to_be_visible()
    expect(cards(laptop, "recommended").filter(has_text=re.compile(rf"^{re.escape(bought)}$"))).to_have_count(0)
    laptop.locator(".st-key-card-recommended-0").get_by_role("button", name="Why").click()
    expect(laptop.locator(".why dt").first).to_have_text("Because of")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_drawn_whole_on_laptop_and_phone(
    browser: Browser, ui_url: str, gateway_url: str, scheme: Literal["light", "dark"]
) -> None:
    user = ask(gateway_url, "/v1/users", page_size=1)["users"][0]["user_id"]
    item = ask(gateway_url, "/v1/items", page_size=1)["items"][0]["item_id"]
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    for path, title in TITLES.items():
        page.set_viewport_size({"width": LAPTOP[0], "height": LAPTOP[1]})
        page.goto(ui_url + path.format(user=quote(user, safe=""), item=quote(item, safe="")))
        expect(page.locator(TITLE)).to_have_text(title.format(user=user) if title else re.compile("."))
        expect(page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]')).to_be_visible()
        expect(page.get_by_test_id("stException")).to_have_count(0)
        expect(page.get_by_test_id("stApp")).to_have_css("color-scheme", scheme)
        for width, height in (LAPTOP, PHONE):
            page.set_viewport_size({"width": width, "height": height})
            expect_within_the_screen(page)
    context.close()


def test_a_manager_tries_a_rule_on_a_customer_before_it_is_saved(laptop: Page, ui_url: str, gateway_url: str) -> None:
    user = ask(gateway_url, "/v1/users", page_size=1)["users"][0]["user_id"]
    asked = {"user_id": user, "count": 10, "preview": True}
    listed = httpx.post(f"{gateway_url}/v1/recommendations", json=asked).raise_for_status().json()["items"]
    laptop.goto(f"{ui_url}/merchandising")
    laptop.get_by_label("For", exact=True).click()
    laptop.get_by_role("option", name="One item").click()
    laptop.get_by_label("Item id").fill(listed[4]["item_id"])
    laptop.get_by_label("Item id").press("Enter")
    laptop.get_by_label("For the customer").fill(user)
    laptop.get_by_label("For the customer").press("Enter")
    changed = laptop.locator("ol.compared").nth(1)
    expect(changed.locator("li").first).to_contain_text(listed[4]["title"])
    expect(laptop.get_by_text("The rule changes 5 of 10 places.")).to_be_visible()


def test_a_manager_sees_what_the_model_knows_of_the_week_and_how_much_is_shown(
    phone: Page, ui_url: str, gateway_url: str
) -> None:
    [item] = ask(gateway_url, "/v1/items", page_size=1)["items"]
    user = ask(gateway_url, "/v1/users", page_size=1)["users"][0]["user_id"]
    ask(gateway_url, f"/v1/users/{quote(user, safe='')}/recommendations")
    events = [{"user_id": user, "item_id": one, "type": "purchase"} for one in (item["item_id"], "brand-new")]
    before = (ask(gateway_url, "/v1/activity")["drift"] or {"purchases": {"events": 0}})["purchases"]["events"]
    httpx.post(f"{gateway_url}/v1/events", json={"events": events}).raise_for_status()
    counted = until(
        lambda: ask(gateway_url, "/v1/activity"),
        lambda told: (
            told["drift"] is not None
            and told["drift"]["purchases"]["events"] >= before + 2
            and told["coverage"]["week"]["items"] > 0
        ),
    )
    assert 0 < counted["drift"]["purchases"]["known"] < counted["drift"]["purchases"]["events"]

    def page_and_api() -> tuple[str, list[str]]:
        phone.goto(f"{ui_url}/data")
        expect(phone.locator("dl.figures div").filter(has_text="Shown this week")).to_be_visible()
        page = " ".join((phone.get_by_test_id("stMain").text_content() or "").split())
        told = ask(gateway_url, "/v1/activity")
        bought, coverage = told["drift"]["purchases"], told["coverage"]
        return page, [
            f"The model knows {bought['known'] / bought['events']:.0%} of what was bought in the last 7 days.",
            f"{coverage['week']['on_sale']:,} of {coverage['catalogue']:,} items on sale",
        ]

    # what earlier visitors were shown may be counted between the two
    until(page_and_api, lambda both: all(sentence in both[0] for sentence in both[1]))
    expect_within_the_screen(phone)


def test_a_manager_reads_the_report_of_a_training_in_the_page(laptop: Page, ui_url: str, gateway_url: str) -> None:
    run = next(each for each in ask(gateway_url, "/v1/runs")["runs"] if each["has_report"])
    laptop.goto(f"{ui_url}/model")
    row = laptop.locator("table.runs tbody tr").filter(has_text=run["artifact_version"])
    expect(row).to_contain_text(run["state"])
    expect(row).to_contain_text(f"{run['metrics']['recall@20']:.4f}")
    for baseline in run["baselines"]:
        expect(row).to_contain_text(f"{baseline['metrics']['recall@20']:.4f}")
    laptop.get_by_text("Show its report").click()
    report = laptop.frame_locator("iframe").first
    expect(report.get_by_text(run["artifact_version"]).first).to_be_visible()
    expect_within_the_screen(laptop)
