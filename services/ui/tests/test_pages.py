"""Every page against the fake gateway: what a visitor reads, where links lead, and no page that dies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from streamlit.testing.v1 import AppTest

if TYPE_CHECKING:
    from services.ui.tests.conftest import FakeGateway

HOME, ITEM, CATALOGUE, MODEL = (f"views/{name}.py" for name in ("recommendations", "item", "catalogue", "model"))


def open_page(app: AppTest, page: str, **query: str) -> AppTest:
    """Runs the app on this page, as a shared address would; fails if the page dies."""
    app.run()
    app.query_params.update(query)
    app.switch_page(page).run()
    assert not app.exception
    return app


def html(app: AppTest) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def links(app: AppTest) -> dict[str, str]:
    """Every link's label, without the code span's fence, and its query."""
    return {element.proto.label.strip("` "): element.proto.query_string for element in app.get("page_link")}


def test_a_visitor_without_a_user_sees_popular_items_and_users_to_pick(app: AppTest, fake_gateway: FakeGateway) -> None:
    status, answer = fake_gateway.answers["/v1/recommendations"]
    fake_gateway.answers["/v1/recommendations"] = (status, answer | {"user_known": False, "vector": "none"})
    app.run()
    assert not app.exception
    assert [header.value for header in app.header] == ["Popular now"]
    assert links(app)["13047"] == "user=13047"
    assert links(app)["Heart holder"] == "item=85123A&list=l-1&position=1"


def test_typed_letters_search_users_and_any_id_may_be_used(app: AppTest, fake_gateway: FakeGateway) -> None:
    app.run()
    app.text_input(key="typed_user").set_value("new/user").run()
    assert "/v1/users?prefix=new%2Fuser&page_size=8" in fake_gateway.requests
    assert links(app)["new/user"] == "user=new%2Fuser"


def test_where_the_model_lists_no_users_any_id_may_still_be_typed(app: AppTest, fake_gateway: FakeGateway) -> None:
    fake_gateway.fail("/v1/users", 400, detail="whose users are in the feature store", request_id="r-7")
    app.run()
    app.text_input(key="typed_user").set_value("13047").run()
    assert not app.exception
    assert links(app)["13047"] == "user=13047"
    assert "feature store" not in html(app)


def test_a_user_sees_history_beside_recommendations_with_scores_and_sources(app: AppTest) -> None:
    open_page(app, HOME, user="13047")
    assert [header.value for header in app.header] == ["Recommended", "History"]
    assert links(app)["Heart holder"] == "item=85123A&user=13047&list=l-1&position=1"
    assert links(app)["Bird ornament"] == "item=84879&user=13047"
    assert "1.270" in html(app)
    assert "for you" in html(app)
    assert "purchase · 9 Dec 2011" in html(app)
    assert "the last 1 of 3 items" in html(app)


def test_the_switch_asks_for_items_that_the_user_already_had(app: AppTest, fake_gateway: FakeGateway) -> None:
    open_page(app, HOME, user="13047")
    app.toggle(key="include_seen").set_value(True).run()
    asked = {"user_id": "13047", "count": 12, "exclude_seen": False, "explain": True, "preview": False}
    assert fake_gateway.posted[-1] == ("/v1/recommendations", asked)


def test_an_unknown_user_reads_why_the_items_are_popular_ones(app: AppTest, fake_gateway: FakeGateway) -> None:
    answer = fake_gateway.answers["/v1/recommendations"][1]
    fake_gateway.answers["/v1/recommendations"] = (200, answer | {"user_known": False, "vector": "none"})
    fake_gateway.answers["/v1/users/nobody/history"] = (200, {"items": [], "total": 0})
    open_page(app, HOME, user="nobody")
    assert "The model does not know user “nobody” yet, so here is what is popular with everyone." in html(app)
    assert "No history yet." in html(app)


def test_an_item_shows_its_details_and_two_lists_and_the_way_back(app: AppTest) -> None:
    open_page(app, ITEM, item="85123A", user="13047")
    assert "Heart holder</h1>" in html(app)
    assert "2.55" in html(app)
    assert [header.value for header in app.header] == ["Bought together", "Similar items"]
    assert links(app)["Bird ornament"] == "item=84879&user=13047"
    assert html(app).count('class="tile"') == 3  # of the item and of one in each list
    assert links(app)["Cake stand"] == "item=22423&user=13047"
    assert links(app)["Back to user ` 13047"] == "user=13047"


def test_an_item_that_shares_no_basket_shows_no_such_list(app: AppTest, fake_gateway: FakeGateway) -> None:
    path = "/v1/items/85123A/bought-together"
    fake_gateway.answers[path] = fake_gateway.answers["/v1/items/85123A/similar"]
    open_page(app, ITEM, item="85123A")
    assert [header.value for header in app.header] == ["Similar items"]


def test_an_item_page_without_an_item_says_where_to_find_one(app: AppTest) -> None:
    assert "No item is chosen. Open one from the catalogue." in html(open_page(app, ITEM))


def test_what_an_anonymous_visitor_does_is_posted_with_the_list_that_it_answers(
    app: AppTest, fake_gateway: FakeGateway
) -> None:
    app.run()
    [session] = {body["session_id"] for _, body in fake_gateway.posted}
    assert [header.value for header in app.header] == ["For you"]
    app.button(key="cart-recommended-0").click().run()
    app.button(key="purchase-recommended-0").click().run()
    events = [body for path, body in fake_gateway.posted if path == "/v1/events"]
    answers = {"session_id": session, "item_id": "85123A", "list_id": "l-1", "position": 1}
    assert events == [answers | {"type": "cart"}, answers | {"type": "purchase", "value": 2.55}]
    assert fake_gateway.posted[-1][0] == "/v1/recommendations"  # the next list knows
    assert [toast.value for toast in app.toast] == ["Bought: ` Heart holder `"]


def test_opening_an_item_is_one_view_however_often_the_page_runs(app: AppTest, fake_gateway: FakeGateway) -> None:
    open_page(app, ITEM, item="85123A", user="13047", list="l-1", position="3").run()
    app.button(key="cart-item").click().run()
    events = [body for path, body in fake_gateway.posted if path == "/v1/events"]
    view = {"user_id": "13047", "item_id": "85123A", "type": "view", "list_id": "l-1", "position": 3}
    assert events == [view, {"user_id": "13047", "item_id": "85123A", "type": "cart", "list_id": "l-1"}]


def test_why_this_says_what_it_is_made_of_and_nothing_of_the_shops_is_markup(app: AppTest) -> None:
    app.run()
    page = html(app)
    assert "84879 (80%), &lt;b&gt; (20%)" in page
    assert "<dt>Taken up after or with</dt><dd>22423&lt;i&gt; (100%)</dd>" in page
    assert "for you #2" in page
    assert "1.2700 = personal 1 × 1.270 + what the learned ranker says of it -0.250" in page
    assert "<dt>Learned ranker</dt><dd>&lt;i&gt; -0.500, user category share +0.250</dd>" in page
    assert "summer &lt;sale&gt;" in page


def test_an_event_that_cannot_be_noted_is_said_and_the_page_goes_on(app: AppTest, fake_gateway: FakeGateway) -> None:
    app.run()
    fake_gateway.fail("/v1/events", 503, detail="the feature store cannot be reached")
    app.button(key="cart-recommended-0").click().run()
    assert not app.exception
    assert "the feature store cannot be reached" in app.toast[0].value
    assert links(app)["Heart holder"]


def test_an_experiment_and_a_missing_feature_store_are_shown(app: AppTest, fake_gateway: FakeGateway) -> None:
    answer = fake_gateway.answers["/v1/recommendations"][1]
    changed = {"experiment": {"name": "recency", "arm": "fresh"}, "level": "without_live_state", "degraded": True}
    fake_gateway.answers["/v1/recommendations"] = (200, answer | changed)
    app.run()
    assert "experiment recency: fresh" in html(app)
    assert "the feature store is unavailable" in html(app)


def test_the_catalogue_is_searched_by_words_and_category(app: AppTest, fake_gateway: FakeGateway) -> None:
    open_page(app, CATALOGUE)
    app.text_input(key="query").set_value("heart").run()
    app.selectbox(key="category").select("Home").run()
    assert fake_gateway.requests[-1] == "/v1/items?query=heart&category=Home&page_size=24"
    assert links(app)["Heart holder"] == "item=85123A"


def test_the_catalogue_is_paged_by_cursor_and_a_new_search_starts_at_page_one(
    app: AppTest, fake_gateway: FakeGateway
) -> None:
    open_page(app, CATALOGUE)
    app.button[0].click().run()
    assert fake_gateway.requests[-1] == "/v1/items?page_size=24&cursor=page-2"
    assert "Page 2" in html(app)
    app.text_input(key="query").set_value("heart").run()
    assert fake_gateway.requests[-1] == "/v1/items?query=heart&page_size=24"
    assert "Page 1" in html(app)


def test_previous_leads_back_to_the_page_before(app: AppTest, fake_gateway: FakeGateway) -> None:
    open_page(app, CATALOGUE)
    app.button[0].click().run()
    assert [button.label for button in app.button] == ["Previous", "Next"]
    app.button[0].click().run()
    assert fake_gateway.requests[-1] == "/v1/items?page_size=24"


def test_a_search_that_finds_nothing_says_so(app: AppTest, fake_gateway: FakeGateway) -> None:
    fake_gateway.answers["/v1/items"] = (200, {"items": [], "next_cursor": None})
    assert "No item matches." in html(open_page(app, CATALOGUE))


def test_the_model_page_shows_version_metrics_with_intervals_and_versions_held(app: AppTest) -> None:
    page = html(open_page(app, MODEL))
    assert "v2</h1>" in page
    assert "<td>recall@20</td><td>0.1285</td><td>0.1201 – 0.1369</td>" in page
    assert "<td>coverage@20</td><td>0.4100</td><td>–</td>" in page
    assert page.count("<li><code>v1</code>") == 2
    assert 'role="alert"' not in page


def test_the_model_page_says_why_a_version_was_refused(app: AppTest, fake_gateway: FakeGateway) -> None:
    status, model = fake_gateway.answers["/v1/model"]
    refusing = model["services"]["reranker"] | {"refused": "item_embeddings.npy: expected 9 rows, found 8"}
    services = model["services"] | {"reranker": refusing}
    fake_gateway.answers["/v1/model"] = (status, model | {"services": services})
    page = html(open_page(app, MODEL))
    assert "reranker refused the newest published version" in page
    assert "expected 9 rows, found 8" in page


@pytest.mark.parametrize(
    ("page", "query", "failing"),
    [
        (HOME, {}, "/v1/recommendations"),
        (HOME, {"user": "13047"}, "/v1/recommendations"),
        (HOME, {"user": "13047"}, "/v1/users/13047/history"),
        (ITEM, {"item": "85123A"}, "/v1/items/85123A"),
        (ITEM, {"item": "85123A"}, "/v1/items/85123A/similar"),
        (ITEM, {"item": "85123A"}, "/v1/items/85123A/bought-together"),
        (CATALOGUE, {}, "/v1/items"),
        (MODEL, {}, "/v1/model"),
    ],
)
def test_a_failing_request_is_a_sentence_on_its_page(
    app: AppTest, fake_gateway: FakeGateway, page: str, query: dict[str, str], failing: str
) -> None:
    fake_gateway.fail(failing, 503, detail="no <model> is loaded yet", request_id="r-7")
    shown = html(open_page(app, page, **query))
    assert "Recommendations are not available at the moment: no &lt;model&gt; is loaded yet." in shown
    assert "Request r-7" in shown
    assert links(app)["Model"] == ""  # the menu still leads elsewhere


def test_a_gateway_that_is_down_is_a_sentence(
    app: AppTest, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    monkeypatch.setenv("UI_GATEWAY_URL", f"http://127.0.0.1:{unused_tcp_port}")
    app.run()
    assert not app.exception
    assert "cannot be reached. Is it running?" in html(app)


def test_the_page_shows_its_key_to_the_gateway_and_to_nobody_else(
    app: AppTest, fake_gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UI_API_KEY", "rk_of-the-page")
    fake_gateway.fail("/v1/model", 403, title="Forbidden")
    for page in (HOME, CATALOGUE, MODEL):
        open_page(app, page)
        assert "rk_of-the-page" not in html(app)
    assert set(fake_gateway.keys_shown) == {"Bearer rk_of-the-page"}


def test_a_page_without_a_key_shows_none(app: AppTest, fake_gateway: FakeGateway) -> None:
    open_page(app, MODEL)
    assert set(fake_gateway.keys_shown) == {None}


def test_looking_at_a_customer_and_an_item_stores_nothing(
    app: AppTest, fake_gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UI_COUNT_CLICKS")
    open_page(app, HOME, user="13047")
    assert links(app)["Heart holder"] == "item=85123A&user=13047"  # no list that the opened item would answer
    assert not app.button
    assert "84879 (80%)" in html(app)  # why an item is here is shown all the same
    open_page(app, ITEM, item="85123A", user="13047", list="r-1", position="3")
    assert not app.button
    assert {(path, body["preview"]) for path, body in fake_gateway.posted} == {("/v1/recommendations", True)}


def test_the_switch_lets_a_visitor_play_a_shopper(
    app: AppTest, fake_gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UI_COUNT_CLICKS", "false")
    app.run()
    app.toggle(key="count_clicks").set_value(True).run()
    app.button(key="cart-recommended-0").click().run()
    assert [body["type"] for path, body in fake_gateway.posted if path == "/v1/events"] == ["cart"]


def test_an_item_added_since_the_training_has_its_page(app: AppTest, fake_gateway: FakeGateway) -> None:
    fake_gateway.fail("/v1/items/85123A/similar", 404, detail="No item '85123A' in the model")
    page = html(open_page(app, ITEM, item="85123A"))
    assert "Heart holder</h1>" in page
    assert "The model does not know this item yet; the next training may learn it." in page
    assert 'role="alert"' not in page


def test_the_model_page_says_that_the_last_training_was_refused_and_that_the_baseline_is_live(
    app: AppTest, fake_gateway: FakeGateway
) -> None:
    status, model = fake_gateway.answers["/v1/model"]
    run = {"artifact_version": "v3", "passed": False, "reasons": ["index recall 0.939"], "users_judged": 62}
    fake_gateway.answers["/v1/model"] = (status, model | {"model": "popularity", "last_run": run})
    page = html(open_page(app, MODEL))
    assert "The last training, v3, was refused: index recall 0.939. It was judged by 62 users." in page
    assert "The live model is the baseline “popularity”" in page


@pytest.mark.parametrize("position", ["9" * 5_000, "²", "-1", "1.5", ""])
def test_no_position_in_an_address_ends_the_page(app: AppTest, fake_gateway: FakeGateway, position: str) -> None:
    open_page(app, ITEM, item="85123A", list="r-1", position=position)
    assert "position" not in next(body for path, body in fake_gateway.posted if path == "/v1/events")
