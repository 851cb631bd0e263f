"""Overview: the live model's age and last training, this week against the last, and what experiments' lists bring."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import streamlit as st

from ui import activity, cards
from ui.gateway_client import GatewayError, gateway
from ui.models import ArmReport, ExperimentReport, Model
from ui.settings import Settings
from ui.shop_text import html_text

RECALL = "recall@20"
PURCHASE = "purchase"
LEVELS = {"full": "of everything"} | cards.LEVELS


def figures_html(model: Model, *, now: datetime) -> str:
    """What a manager asks first, as boxes."""
    recall = next((metric.value for metric in model.metrics if metric.name == RECALL), None)
    run = model.last_run
    trained = "not recorded" if run is None else "went live" if run.passed else "refused"
    return cards.figures_html(
        {
            "Model age": age(now - model.trained_at),
            "Last training": trained,
            "Customers known": f"{model.user_count:,}",
            "Items known": f"{model.item_count:,}",
            RECALL: "not measured" if recall is None else f"{recall:.1%}",
        }
    )


def age(passed: timedelta) -> str:
    """A duration in its largest unit."""
    minutes = int(passed.total_seconds() // 60)
    if minutes < 120:
        return f"{max(minutes, 0)} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // (24 * 60)} days"


def brought_html(reports: list[ExperimentReport]) -> str:
    """Click-through of each arm, and its metrics per person and in all."""
    rows = "".join(
        f"<tr><td>{html_text(report.name)}</td><td>{html_text(arm.name)}</td><td>{arm.exposures:,}</td>"
        f"<td>{'–' if arm.ctr is None else f'{arm.ctr:.2%}'}</td>"
        f"<td>{html_text(_brought(arm))}</td></tr>"
        for report in reports
        for arm in report.results
    )
    return (
        '<div class="scrolled"><table class="plain"><thead><tr><th>Experiment</th><th>Arm</th><th>Lists shown</th>'
        f"<th>Clicked</th><th>Per person</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _brought(arm: ArmReport) -> str:
    return " · ".join(
        f"{name.replace('_', ' ')} {each.value:.4g} ({each.total:,.2f} in all)"
        for name, each in sorted(arm.metrics.items())
        if each.value is not None
    )


def show_experiments() -> None:
    """What the lists of the experiments brought; a gateway without a feature store has none."""
    st.header("What the lists bring", anchor=False)
    try:
        found = gateway().experiments().experiments
    except GatewayError as error:
        if error.status != HTTPStatus.SERVICE_UNAVAILABLE:
            raise
        cards.notice(error.sentence)
        return
    if not found:
        cards.notice("Clicks and money are summed for the arms of experiments, and none is defined.")
        return
    st.html(brought_html([gateway().experiment(each.name) for each in found]))


def show_week() -> None:
    """Money, purchases and clicks of the last seven days beside the seven before, and what lists were made of."""
    st.header("This week", anchor=False)
    found = activity.asked()
    if found is None:
        return
    now, before = activity.this_and_last(found, today=datetime.now(UTC).date())
    ctr = now.click_through
    st.html(
        cards.figures_html(
            {
                "Money": f"{Settings().currency} {now.money:,.2f}",
                "Purchases": f"{now.events[PURCHASE]:,}",
                "Lists shown": f"{now.lists:,}",
                "Click-through": "–" if ctr is None else f"{ctr:.2%}",
            },
            below={
                "Money": activity.change(now.money, before.money),
                "Purchases": activity.change(now.events[PURCHASE], before.events[PURCHASE]),
                "Lists shown": activity.change(now.lists, before.lists),
                "Click-through": activity.change(ctr, before.click_through),
            },
        )
    )
    if now.lists:
        st.html(levels_html(now.levels))
    if found.age_s is not None:
        st.html(
            f'<p class="facts">The last 7 days, with today, and the 7 before; counted '
            f"{age(timedelta(seconds=found.age_s))} ago.</p>"
        )


def levels_html(levels: Mapping[str, int]) -> str:
    """How many of the lists could be made of everything, and what the others were made without."""
    whole = sum(levels.values())
    rows = "".join(
        f"<tr><td>{html_text(LEVELS.get(name, name))}</td><td>{count:,}</td><td>{count / whole:.1%}</td></tr>"
        for name, count in sorted(levels.items(), key=lambda each: -each[1])
    )
    return (
        '<div class="scrolled"><table class="plain"><thead><tr><th>Lists were made</th><th></th><th></th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


model = gateway().model()
st.html('<p class="kicker">Overview</p><h1 class="page-title">How the recommendations are</h1>')
for refusal in model.refusals:
    cards.notice(refusal, kind="error")
st.html(figures_html(model, now=datetime.now(UTC)))
show_week()
show_experiments()
