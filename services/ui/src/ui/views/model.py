"""The live model: which version it is, how good it measured itself, what else is held, what was refused."""

from collections.abc import Sequence

import streamlit as st

from ui import cards
from ui.gateway_client import gateway
from ui.models import Metric, Model, ServiceModel
from ui.shop_text import html_text

BASELINE = "popularity"  # the model that everybody gets the same items from


def facts_html(model: Model) -> str:
    """The model in five figures."""
    return cards.figures_html(
        {
            "Algorithm": model.model,
            "Dimensions": f"{model.dim:,}",
            "Users": f"{model.user_count:,}",
            "Items": f"{model.item_count:,}",
            "Trained (UTC)": f"{model.trained_at.day} {model.trained_at:%b %Y, %H:%M}",
        }
    )


def metrics_html(metrics: Sequence[Metric]) -> str:
    """A table; the bar is the value and the whisker its interval, from nought to the largest figure shown."""
    largest = max((abs(metric.high or metric.value) for metric in metrics), default=0.0) or 1.0
    rows = "".join(_metric_row(metric, largest=largest) for metric in metrics)
    return (
        '<table class="metrics"><thead><tr><th>Metric</th><th>Value</th><th>95 % interval</th><th></th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _metric_row(metric: Metric, *, largest: float) -> str:
    interval, whisker = "–", ""
    if metric.low is not None and metric.high is not None:
        interval = f"{metric.low:.4f} – {metric.high:.4f}"
        start, width = metric.low / largest, (metric.high - metric.low) / largest
        whisker = f'<b style="--start:{start:.1%};--width:{width:.1%}"></b>'
    return (
        f"<tr><td>{html_text(metric.name)}</td><td>{metric.value:.4f}</td><td>{interval}</td>"
        f'<td><div class="bar"><i style="--share:{metric.value / largest:.1%}"></i>{whisker}</div></td></tr>'
    )


def service_html(name: str, service: ServiceModel) -> str:
    """The versions that one service holds; the one that it answers with is marked."""
    lines = [
        f"<li><code>{html_text(version)}</code>"
        + ('<span class="badge" data-source="live">live</span>' if version == service.artifact_version else "")
        + "</li>"
        for version in service.held_versions
    ]
    return f'<p class="facts">{html_text(name)}</p><ul class="versions">{"".join(lines)}</ul>'


def show_rolling_back(model: Model) -> None:
    """How an earlier version goes live again: on the volume, which neither this page nor the gateway writes."""
    held = {version for service in model.services.values() for version in service.held_versions}
    earlier = sorted(held - {model.artifact_version})
    with st.expander("Roll back"):
        if not earlier:
            cards.notice("The services hold no other version; `recsys versions` lists those of the volume.")
            return
        cards.notice("Run this where the system runs; the services change over within seconds, without a restart.")
        for version in earlier:
            st.code(f"docker compose run --rm recsys activate {version}", language="sh", wrap_lines=True)


model = gateway().model()
st.html(f'<p class="kicker">Live model</p><h1 class="page-title">{html_text(model.artifact_version)}</h1>')
for refusal in model.refusals:
    cards.notice(refusal, kind="error")
if model.model == BASELINE:
    cards.notice("The live model is the baseline “popularity”: no personal model was shown to be better yet.")
st.html(facts_html(model))
figures, versions = st.columns([7, 3], gap="large")
with figures:
    st.header("Offline evaluation", anchor=False)
    if model.metrics:
        st.html(metrics_html(model.metrics))
    else:
        cards.notice("This version was published without an evaluation.")
with versions:
    st.header("Versions held", anchor=False)
    for name, service in model.services.items():
        st.html(service_html(name, service))
    show_rolling_back(model)
