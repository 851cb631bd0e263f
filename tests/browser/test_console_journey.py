"""Every page, on a laptop and a phone, light and dark: drawn whole, no exception, nothing off the screen."""

from typing import Literal
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import LAPTOP, PHONE
from tests.browser.test_ui_journey import BEYOND_THE_EDGE

TITLES = {
    "/overview": "How the recommendations are",
    "/?user={user}": "{user}",
    "/item?item={item}": None,
    "/catalogue": "What the shop has",
    "/model": None,
    "/experiments": "What is being tried",
    "/merchandising": "What the shop wants seen",
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_every_page_is_drawn_without_an_exception(
    browser: Browser, ui_url: str, gateway_url: str, size: tuple[int, int], scheme: Literal["light", "dark"]
) -> None:
    user = httpx.get(f"{gateway_url}/v1/users", params={"page_size": 1}).json()["users"][0]["user_id"]
    item = httpx.get(f"{gateway_url}/v1/items", params={"page_size": 1}).json()["items"][0]["item_id"]
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    page = context.new_page()
    for path, title in TITLES.items():
        page.goto(ui_url + path.format(user=quote(user, safe=""), item=quote(item, safe="")))
        heading = page.locator("h1.page-title")
        expect(heading).to_be_visible()
        if title:
            expect(heading).to_have_text(title.format(user=user))
        expect(page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]')).to_be_visible()
        expect(page.get_by_test_id("stException")).to_have_count(0)
        expect(page.get_by_test_id("stApp")).to_have_css("color-scheme", scheme)
        assert page.get_by_test_id("stMain").evaluate(BEYOND_THE_EDGE) == [], path
    context.close()


def test_a_manager_tries_a_rule_on_a_customer_before_it_is_saved(laptop: Page, ui_url: str, gateway_url: str) -> None:
    user = httpx.get(f"{gateway_url}/v1/users", params={"page_size": 1}).json()["users"][0]["user_id"]
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
