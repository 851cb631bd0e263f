"""The live model and the trainer's runs: how good they were, what was refused and why, and back to one of them."""

from collections.abc import Sequence
from functools import partial

import streamlit as st
from streamlit.components import v1 as components

from ui import back_office, cards
from ui.gateway_client import gateway
from ui.models import EarnedByList, Metric, Model, Run, ServiceModel
from ui.shop_text import html_text

RUNS_SHOWN = 20
REPORT_PX = 900
FIGURES = ("recall@20", "ndcg@20")
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


def runs_html(runs: Sequence[Run]) -> str:
    """The trainer's runs with the baselines beside each, what became of its version, and why it was refused."""
    rows = "".join(_run_row(run) for run in runs)
    head = "".join(f"<th>{html_text(name)}</th>" for name in FIGURES)
    return (
        '<div class="scrolled"><table class="plain runs"><thead><tr><th>Training</th><th>By the same users</th>'
        f"{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _run_row(run: Run) -> str:
    said = run.state + (", forced" if run.forced else "") + (", refused" if run.refusal and not run.forced else "")
    refusal = f'<small class="refusal">{html_text(run.refusal)}</small>' if run.refusal else ""
    judged = "" if run.users_judged is None else f" · judged by {run.users_judged:,} users"
    told = ", ".join(f"{_words(one)} {one.value:.3f} [{one.low:.3f}, {one.high:.3f}]" for one in run.earned)
    earned = f"<small>A list, by what was shown: {told}</small>" if told else ""
    beside = [one for one in run.baselines if run.metrics]
    names = [f"<b>{html_text(run.model)}</b>", *(f"<small>{html_text(one.name)}</small>" for one in beside)]
    figures = "".join(f"<td>{_figures(run, name)}</td>" for name in FIGURES)
    return (
        f"<tr><td><code>{html_text(run.artifact_version)}</code> "
        f'<span class="badge" data-source="{html_text(run.state)}">{html_text(said)}</span>'
        f"<small>{run.trained_at:%d %b %Y, %H:%M} UTC · {run.user_count:,} users × {run.item_count:,} items{judged}"
        f"</small>{refusal}{earned}</td><td>{''.join(names)}</td>{figures}</tr>"
    )


def _words(earned: EarnedByList) -> str:
    return f"{html_text(earned.outcome)} {html_text(earned.order)}"


def _figures(run: Run, name: str) -> str:
    """The run's own, and below it those of what it was compared with."""
    if name not in run.metrics:
        return "not judged"
    beside = "".join(
        f"<small>{one.metrics[name]:.4f}</small>" if name in one.metrics else "<small>–</small>"
        for one in run.baselines
    )
    return f"<b>{run.metrics[name]:.4f}</b>{beside}"


def show_runs(runs: Sequence[Run]) -> None:
    """The table, then what can be done with one of them: make it live, read its report."""
    st.header("Trainings", anchor=False)
    if not runs:
        cards.notice("No training is recorded on the volume of this system.")
        return
    st.html(runs_html(runs))
    by_version = {run.artifact_version: run for run in runs}
    chosen = st.selectbox("A training", list(by_version), key="run", width=420)
    run = by_version[str(chosen)]
    if run.state == "kept":
        activate_form(run)
    if not run.has_report:
        st.html('<p class="facts">This training left no report.</p>')
    elif st.toggle("Show its report", key="show_report"):
        components.html(gateway().run_report(run.artifact_version).html, height=REPORT_PX, scrolling=True)


def activate_form(run: Run) -> None:
    """Roll back, or overrule the gate, asked twice."""
    with st.popover("Make it live", icon=":material/history:", key="activates"):
        warning = f"<p><b>The gate refused it:</b> {html_text(run.refusal)}</p>" if run.refusal else ""
        st.html(f"{warning}<p>The services change over within seconds, without a restart.</p>")
        st.button(
            "Yes, make it live",
            key="activate",
            type="primary",
            on_click=back_office.change,
            args=[
                f"{run.artifact_version} is live; the services change over within seconds",
                partial(gateway().activate, run.artifact_version, key=back_office.key()),
            ],
        )


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
show_runs(gateway().runs(count=RUNS_SHOWN).runs)
