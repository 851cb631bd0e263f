"""The console: what a shop's people read and change, against the fake gateway; looking stores nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from streamlit.testing.v1 import AppTest

if TYPE_CHECKING:
    from services.ui.tests.conftest import FakeGateway

MODEL, OVERVIEW, EXPERIMENTS, MERCHANDISING, DATA = (
    f"views/{name}.py" for name in ("model", "overview", "experiments", "merchandising", "data")
)


@pytest.fixture
def console(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The app as a shop's people open it: clicks do not count."""
    monkeypatch.delenv("UI_COUNT_CLICKS")
    return app


def open_page(app: AppTest, page: str) -> AppTest:
    """Runs the app on this page; fails if the page dies."""
    app.run()
    app.switch_page(page).run()
    assert not app.exception
    return app


def html(app: AppTest) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def menu(app: AppTest) -> list[str]:
    names = ("For you", "Customers", "Catalogue", "Model", "Overview", "Data", "Experiments", "Merchandising")
    return [each.proto.label for each in app.get("page_link") if each.proto.label in names]


def test_the_console_and_the_demo_shop_have_menus_of_their_own(console: AppTest) -> None:
    console.run()
    assert menu(console) == ["Customers", "Catalogue", "Model", "Overview", "Data", "Experiments", "Merchandising"]
    console.toggle(key="count_clicks").set_value(True).run()
    assert menu(console) == ["For you", "Catalogue", "Model"]


def test_the_overview_shows_the_model_and_what_each_arm_brought(console: AppTest) -> None:
    page = html(open_page(console, OVERVIEW))
    assert "<dt>recall@20</dt><dd>12.8%</dd>" in page
    assert "<td>control</td><td>1,200</td><td>12.50%</td><td>clicks 0.25 (25.00 in all)</td>" in page
    assert "&lt;b&gt;fresh" in page
    assert "<b>fresh" not in page


def test_an_experiment_that_nobody_is_in_is_ready_to_be_started_and_says_what_its_arms_do(
    console: AppTest, fake_gateway: FakeGateway
) -> None:
    varied = {"diversity": {"mmr_lambda": 0.7, "max_per_category": 3}, "exploration": 0.15, "candidates": 500}
    arms = [{"name": "control", "share": 0}, {"name": "varied", "share": 0, "blend": {"recency": 0.2}} | varied]
    _, listed = fake_gateway.answers["/v1/experiments"]
    _, report = fake_gateway.answers["/v1/experiments/recency"]
    results = [one | {"name": arm["name"]} for one, arm in zip(report["results"], arms, strict=True)]
    listed = {"experiments": [listed["experiments"][0] | {"arms": arms}]}
    fake_gateway.answers["/v1/experiments"] = (200, listed)
    fake_gateway.answers["/v1/experiments/recency"] = (200, report | {"arms": arms, "results": results})
    page = html(open_page(console, EXPERIMENTS))
    assert not console.exception
    assert "ready to be started" in page
    assert "<td>control<small>as now</small></td>" in page
    says = "score of 0.2 recency, variety 30%, at most 3 of a category, an item nobody knows yet in 15% of lists"
    assert f"<td>varied<small>{says}, chosen from 500 items</small></td>" in page


def test_the_overview_of_a_shop_without_a_feature_store_says_so(console: AppTest, fake_gateway: FakeGateway) -> None:
    fake_gateway.fail("/v1/experiments", 503, detail="no feature store: set GATEWAY_FEATURE_STORE_URL")
    page = html(open_page(console, OVERVIEW))
    assert "no feature store" in page
    assert "<dt>Customers known</dt><dd>4,338</dd>" in page


def test_an_experiment_shows_intervals_verdicts_and_guardrails(console: AppTest) -> None:
    page = html(open_page(console, EXPERIMENTS))
    assert "0.25<small>0.21 – 0.29</small>" in page
    assert "<td>0.05<small>0.01 – 0.09</small></td><td>0.01</td><td>better</td>" in page
    assert "guardrail latency_ms" in page
    assert "“&lt;b&gt;fresh” is better than the control." in page
    assert "as of 02 Jan 2026, 03:04 UTC" in page


def test_shares_are_set_an_experiment_stopped_and_the_winner_shipped_with_the_key_of_the_back_office(
    console: AppTest, fake_gateway: FakeGateway
) -> None:
    open_page(console, EXPERIMENTS)
    console.text_input(key="back_office_key").set_value("rk_admin").run()
    console.number_input(key="share-recency-<b>fresh").set_value(0.2).run()
    fake_gateway.posted.clear()
    fake_gateway.keys_shown.clear()
    for button in ("start-recency", "stop-recency", "ship-recency"):
        console.button(key=button).click().run()
    assert not console.exception
    assert fake_gateway.posted == [
        ("/v1/experiments/recency/shares", {"shares": {"control": 0.5, "<b>fresh": 0.2}}),
        ("/v1/experiments/recency/stop", {}),
        ("/v1/experiments/recency/ship", {"arm": "<b>fresh"}),
    ]
    assert fake_gateway.keys_shown.count("Bearer rk_admin") == 3


def test_a_change_without_the_right_is_refused_in_a_sentence(console: AppTest, fake_gateway: FakeGateway) -> None:
    fake_gateway.fail("/v1/experiments/recency/stop", 403, detail="the key lacks the scope admin")
    open_page(console, EXPERIMENTS)
    console.button(key="stop-recency").click().run()
    assert not console.exception
    assert "The key lacks the scope admin." in console.toast[0].value


def test_an_item_is_taken_off_sale(console: AppTest, fake_gateway: FakeGateway) -> None:
    fake_gateway.answers["/v1/items/85123A"] = (200, {"changed": 1})
    open_page(console, MERCHANDISING)
    console.button(key="sale-0").click().run()
    assert not console.exception
    assert ("/v1/items/85123A", {"available": False}) in fake_gateway.posted
    assert "is off sale" in console.toast[0].value


def test_a_rule_is_tried_on_a_customer_and_stores_nothing(console: AppTest, fake_gateway: FakeGateway) -> None:
    open_page(console, MERCHANDISING)
    console.text_input(key="rule_value").set_value("Home").run()
    fake_gateway.posted.clear()
    fake_gateway.request_ids.clear()
    console.text_input(key="rule_user").set_value("13047").run()
    before, after = (body for path, body in fake_gateway.posted if path == "/v1/recommendations")
    assert before["preview"]
    assert after == before | {"rules": [{"name": "pin Home", "category": "Home", "pin_position": 1}]}
    assert [given for given in fake_gateway.request_ids if given] == ["r-1"]  # the first list's: chance draws the same
    assert "The rule changes nothing here" in html(console)


def test_a_tried_rule_is_saved_behind_those_that_hold_and_a_rule_is_removed(
    console: AppTest, fake_gateway: FakeGateway
) -> None:
    open_page(console, MERCHANDISING)
    assert "item GIFT → place 1" in html(console)
    console.selectbox(key="rule_does").select("Boost").run()
    console.text_input(key="rule_value").set_value("Home").run()
    console.button(key="save-rule").click().run()
    console.button(key="remove-0").click().run()
    assert not console.exception
    saved = [body["rules"] for path, body in fake_gateway.posted if path == "/v1/rules"]
    first = {"name": "gift first", "item_id": "GIFT", "pin_position": 1}
    assert saved == [[first, {"name": "boost Home", "category": "Home", "boost": 2.0}], []]


@pytest.mark.parametrize(
    ("page", "failing"),
    [(OVERVIEW, "/v1/model"), (EXPERIMENTS, "/v1/experiments"), (MERCHANDISING, "/v1/items"), (DATA, "/v1/runs")],
)
def test_a_failing_request_is_a_sentence(console: AppTest, fake_gateway: FakeGateway, page: str, failing: str) -> None:
    fake_gateway.fail(failing, 503, detail="no model is loaded yet", request_id="r-7")
    shown = html(open_page(console, page))
    assert "Recommendations are not available at the moment: no model is loaded yet." in shown
    assert "Request r-7" in shown


def test_the_model_page_has_every_training_with_baselines_and_why_it_was_refused(console: AppTest) -> None:
    page = html(open_page(console, MODEL))
    assert "<b>0.1285</b><small>0.0800</small>" in page
    assert "<b>als</b><small>popularity</small>" in page
    assert "<b>0.0712</b><small>–</small>" in page
    assert '<small class="refusal">ndcg@20 &lt;b&gt;worse</small>' in page
    assert "<td>not judged</td>" in page
    assert page.count("A list, by what was shown: clicked the new &lt;order&gt; 0.250 [0.200, 0.300]") == 1


def test_a_kept_version_is_made_live_after_what_the_gate_said_was_read(
    console: AppTest, fake_gateway: FakeGateway
) -> None:
    open_page(console, MODEL)
    assert not [button for button in console.button if button.key == "activate"]
    console.selectbox(key="run").select("v1").run()
    assert "The gate refused it:</b> ndcg@20 &lt;b&gt;worse" in html(console)
    console.button(key="activate").click().run()
    assert ("/v1/model/activate", {"artifact_version": "v1"}) in fake_gateway.posted
    assert "v1 is live" in console.toast[0].value


def test_the_report_of_a_training_is_shown_when_it_is_asked_for(console: AppTest, fake_gateway: FakeGateway) -> None:
    open_page(console, MODEL)
    assert "/v1/runs/v2/report" not in fake_gateway.requests
    console.toggle(key="show_report").set_value(True).run()
    assert not console.exception
    assert "/v1/runs/v2/report" in fake_gateway.requests
    console.selectbox(key="run").select("v1").run()
    assert "This training left no report." in html(console)


def test_no_experiment_is_said(console: AppTest, fake_gateway: FakeGateway) -> None:
    fake_gateway.answers["/v1/experiments"] = (200, {"experiments": []})
    assert "No experiment is defined." in html(open_page(console, EXPERIMENTS))
    assert "none is defined" in html(open_page(console, OVERVIEW))


def test_the_overview_has_this_week_against_the_last(console: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UI_CURRENCY", "€")
    page = html(open_page(console, OVERVIEW))
    assert "<dt>Money</dt><dd>€ 120.00<small>▲ 20% on the week before</small></dd>" in page
    assert "<dt>Purchases</dt><dd>6<small>▲ 50% on the week before</small></dd>" in page
    assert "<dt>Click-through</dt><dd>15.00%<small>nothing to compare with</small></dd>" in page
    assert "<td>of everything</td><td>150</td><td>75.0%</td>" in page
    assert "counted 2 min ago" in page


def test_the_data_page_has_events_by_day_and_type_and_why_rows_were_rejected(console: AppTest) -> None:
    page = html(open_page(console, DATA))
    assert page.count('<div title="') == 30
    assert "view 40, purchase 6, &lt;b&gt;wish 1" in page
    assert "<td>view</td><td>40</td><td>20</td><td>▲ 100% on the week before</td>" in page
    assert "<dt>Rows of events</dt><dd>1,000</dd>" in page
    assert "price &lt;i&gt;: no number" in page
    assert "decimal_comma" in page
    assert "<b>wish" not in page


def test_the_data_page_says_what_the_model_knows_of_the_week(console: AppTest) -> None:
    page = html(open_page(console, DATA))
    assert "The model knows 93% of what was bought in the last 7 days." in page
    assert "<dt>Events on items it knows</dt><dd>96%<small>1,130 of 1,180</small></dd>" in page
    assert "<dt>Events of customers it knows</dt><dd>50%<small>400 of 800</small></dd>" in page
    assert "<dt>Its 120 most popular items</dt><dd>47%<small>of customers&#x27; interest; 50% when it was" in page
    assert "<td>purchase</td><td>10.0%</td><td>20.0%</td><td>▼ 10.0 points</td>" in page
    assert "<td>&lt;b&gt;wish</td><td>0.0%</td><td>10.0%</td>" in page
    assert "version &lt;b&gt;v2 was" in page


def test_the_data_page_says_how_much_of_the_catalogue_is_shown(console: AppTest) -> None:
    page = html(open_page(console, DATA))
    assert "<dt>Shown this week</dt><dd>38%<small>1,402 of 3,684 items on sale</small></dd>" in page
    assert "<dt>Shown yesterday</dt><dd>25%<small>921 of 3,684 items on sale</small></dd>" in page
    assert "<dt>The most shown 1 %</dt><dd>12%<small>of all places this week</small></dd>" in page
    assert "<dt>Gini</dt><dd>0.54<small>" in page


@pytest.mark.parametrize(
    ("purchases", "events", "expected"),
    [
        ((10, 7), (20, 20), "knows 70% of what was bought in the last 7 days. The rest is new since"),
        ((0, 0), (20, 19), "knows 95% of what happened in the last 7 days; nothing was bought."),
        ((0, 0), (0, 0), "Nothing has happened in the last 7 days that the model could know."),
    ],
    ids=["little", "nothing-bought", "nothing"],
)
def test_what_the_model_knows_is_one_sentence(
    console: AppTest, fake_gateway: FakeGateway, purchases: tuple[int, int], events: tuple[int, int], expected: str
) -> None:
    status, told = fake_gateway.answers["/v1/activity"]
    counted = {"purchases": purchases, "items": events}
    known = {name: {"events": one[0], "known": one[1]} for name, one in counted.items()}
    fake_gateway.answers["/v1/activity"] = (status, told | {"drift": told["drift"] | known})
    assert expected in html(open_page(console, DATA))


def test_where_the_sink_does_not_see_the_models_the_data_page_says_so(
    console: AppTest, fake_gateway: FakeGateway
) -> None:
    status, told = fake_gateway.answers["/v1/activity"]
    shown = {"items": 1500, "on_sale": None, "gini": 0.5, "top_share": 0.1}
    coverage = {"catalogue": None, "yesterday": shown | {"items": 0}, "week": shown}
    fake_gateway.answers["/v1/activity"] = (status, told | {"drift": None, "coverage": coverage})
    page = html(open_page(console, DATA))
    assert "the event sink does not see the models" in page
    assert "<dt>Shown this week</dt><dd>1,500 items<small>how many are on sale is not known here" in page


def test_a_shop_without_files_and_without_events_is_told_so(console: AppTest, fake_gateway: FakeGateway) -> None:
    fake_gateway.answers["/v1/runs"] = (200, {"runs": [], "last_reading": None})
    fake_gateway.answers["/v1/activity"] = (200, {"as_of": None, "age_s": None, "days": []})
    page = html(open_page(console, DATA))
    assert "Nothing has happened in the shop yet" in page
    assert "No file of events was read" in page


def test_a_rule_names_its_item_by_the_title(console: AppTest, fake_gateway: FakeGateway) -> None:
    rule = {"name": "heart first", "item_id": "85123A", "pin_position": 1}
    fake_gateway.answers["/v1/rules"] = (200, {"rules": [rule]})
    assert "item Heart holder → place 1" in html(open_page(console, MERCHANDISING))


def test_an_experiment_has_its_intervals_day_by_day(console: AppTest, fake_gateway: FakeGateway) -> None:
    open_page(console, EXPERIMENTS)
    assert "/v1/experiments/recency/days" not in fake_gateway.requests
    console.toggle(key="days-recency").set_value(True).run()
    assert not console.exception
    page = html(console)
    assert "<td>02 Jan</td><td>0.05<small>0.01 – 0.09</small></td>" in page
    assert 'style="--start:11.1%;--width:88.9%"' in page
    assert "&lt;b&gt;fresh: clicks" in page
