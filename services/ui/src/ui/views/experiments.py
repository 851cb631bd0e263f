"""Experiments: their arms, what these have brought, and how to start, stop and ship them."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from ui import back_office, cards
from ui.gateway_client import gateway
from ui.models import ArmReport, Experiment, ExperimentDay, ExperimentReport, Interval, MetricComparison
from ui.shop_text import html_text, label


def show_experiment(experiment: Experiment) -> None:
    """One experiment: its arms, its report, what can be done with it."""
    with st.container(border=True, key=f"experiment-{experiment.name}"):
        shipped = f" · shipped: {experiment.shipped_arm}" if experiment.shipped_arm else ""
        state = experiment.state if experiment.is_begun else "ready to be started"
        st.html(
            f'<p class="kicker">{html_text(state + shipped)}</p>'
            f'<h2 class="part-title">{html_text(experiment.name)}</h2>'
        )
        report = gateway().experiment(experiment.name)
        st.html(results_html(report))
        if report.comparisons:
            st.html(comparisons_html(report))
        since = f"as of {report.as_of:%d %b %Y, %H:%M} UTC" if report.as_of else "nothing is summed yet"
        split = ": ".join(part for part in (report.split.verdict, report.split.reason) if part)
        st.html(f'<p class="facts">Split: {html_text(split)} · {since}</p>')
        if st.toggle("Day by day", key=f"days-{experiment.name}"):
            show_days(experiment.name)
        with st.container(horizontal=True, gap="small"):
            if experiment.state == "running":
                start_form(experiment)
                stop_button(experiment)
            ship_form(experiment, winner=report.winner)


def show_days(name: str) -> None:
    """How the differences narrowed down."""
    days = gateway().experiment_days(name).days
    compared = {
        (one.arm, each.metric)
        for day in days
        for one in day.comparisons
        for each in one.metrics
        if each.difference.value is not None
    }
    if not compared:
        cards.notice("There is nothing to compare of the days that are over.")
    for arm, metric in sorted(compared):
        st.html(course_html(arm, metric, days))


def course_html(arm: str, metric: str, days: Sequence[ExperimentDay]) -> str:
    """One metric of an arm minus the control's, with its interval: a line a day, and where nought lies."""
    found = [
        (day.date, each.difference)
        for day in days
        for one in day.comparisons
        for each in one.metrics
        if (one.arm, each.metric) == (arm, metric) and each.difference.value is not None
    ]
    bounds = [bound for _, each in found for bound in (each.low, each.high, each.value) if bound is not None]
    low, high = min([0.0, *bounds]), max([0.0, *bounds])
    span = (high - low) or 1.0
    rows = "".join(
        f"<tr><td>{when:%d %b}</td><td>{interval_html(each)}</td>"
        f'<td><div class="course" style="--nought:{-low / span:.1%}">'
        f"{_whisker(each, low=low, span=span)}</div></td></tr>"
        for when, each in found
    )
    return (
        f'<p class="kicker">{html_text(arm)}: {html_text(metric.replace("_", " "))}</p>'
        f'<table class="plain courses"><tbody>{rows}</tbody></table>'
    )


def _whisker(found: Interval, *, low: float, span: float) -> str:
    if found.low is None or found.high is None:
        return ""
    start, width = (found.low - low) / span, (found.high - found.low) / span
    return f'<b style="--start:{start:.1%};--width:{width:.1%}"></b>'


def results_html(report: ExperimentReport) -> str:
    """What each arm brought, with intervals."""
    names = sorted({name for arm in report.results for name in arm.metrics})
    head = "".join(f"<th>{html_text(name.replace('_', ' '))}</th>" for name in names)
    does = {arm.name: arm.sentence() for arm in report.arms}
    rows = "".join(_arm_row(arm, names, does=does.get(arm.name, "")) for arm in report.results)
    return (
        '<div class="scrolled"><table class="plain"><thead><tr><th>Arm</th><th>Share</th><th>Lists</th><th>People</th>'
        f"<th>Clicked lists</th>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _arm_row(arm: ArmReport, names: list[str], *, does: str) -> str:
    ctr = "–" if arm.ctr is None else f"{arm.ctr:.2%}"
    name = arm.name + (" (control)" if arm.is_control and arm.name != "control" else "")
    cells = "".join(f"<td>{interval_html(arm.metrics.get(each))}</td>" for each in names)
    return (
        f"<tr><td>{html_text(name)}<small>{html_text(does)}</small></td><td>{arm.share:.0%}</td><td>{arm.exposures:,}</td><td>{arm.units:,}</td>"
        f"<td>{ctr}</td>{cells}</tr>"
    )


def interval_html(found: Interval | None) -> str:
    """A value with its interval below."""
    if found is None or found.value is None:
        return "–"
    bounds = "" if found.low is None or found.high is None else f"<small>{found.low:.4g} – {found.high:.4g}</small>"
    return f"{found.value:.4g}{bounds}"


def comparisons_html(report: ExperimentReport) -> str:
    """Each arm against the control: difference, interval, verdict."""
    rows = "".join(
        [
            *(_comparison_row(each.arm, metric) for each in report.comparisons for metric in each.metrics),
            *(
                f"<tr><td>{html_text(each.arm)}</td><td>guardrail {html_text(guardrail.guardrail)}</td>"
                f"<td>{interval_html(guardrail.difference)}</td><td></td><td>{html_text(guardrail.verdict)}</td></tr>"
                for each in report.comparisons
                for guardrail in each.guardrails
            ),
        ]
    )
    return (
        '<div class="scrolled"><table class="plain"><thead><tr><th>Arm</th><th>Against the control</th>'
        f"<th>Difference</th><th>p</th><th>Verdict</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _comparison_row(arm: str, metric: MetricComparison) -> str:
    return (
        f"<tr><td>{html_text(arm)}</td><td>{html_text(metric.metric.replace('_', ' '))}</td>"
        f"<td>{interval_html(metric.difference)}</td>"
        f"<td>{metric.p_adjusted:.3g}</td><td>{html_text(metric.verdict)}</td></tr>"
    )


def start_form(experiment: Experiment) -> None:
    """Shares of the arms: above 0 it runs."""
    with st.popover(
        "Shares" if experiment.is_begun else "Start", icon=":material/tune:", key=f"shares-{experiment.name}"
    ):
        shares = {
            arm.name: st.number_input(
                label(arm.name), 0.0, 1.0, arm.share, 0.05, key=f"share-{experiment.name}-{arm.name}"
            )
            for arm in experiment.arms
        }
        st.button(
            "Set the shares",
            key=f"start-{experiment.name}",
            type="primary",
            on_click=back_office.change,
            args=[
                f"{experiment.name} has its shares",
                partial(gateway().set_shares, experiment.name, shares, key=back_office.key()),
            ],
        )


def stop_button(experiment: Experiment) -> None:
    """Stop, asked twice."""
    with st.popover("Stop", icon=":material/stop_circle:", key=f"stops-{experiment.name}"):
        st.html("<p>Nobody is put into it any more, for good. Its report stays.</p>")
        st.button(
            "Stop it for good",
            key=f"stop-{experiment.name}",
            type="primary",
            on_click=back_office.change,
            args=[f"{experiment.name} is stopped", partial(gateway().stop, experiment.name, key=back_office.key())],
        )


def ship_form(experiment: Experiment, *, winner: str | None) -> None:
    """Make an arm's settings everybody's, asked twice; the winner is chosen where there is one."""
    names = [arm.name for arm in experiment.arms]
    with st.popover("Ship", icon=":material/rocket_launch:", key=f"ships-{experiment.name}"):
        said = f"“{winner}” is better than the control." if winner else "No arm is shown to be better yet."
        st.html(f"<p>{html_text(said)} The arm's settings become everybody's, and the experiment ends.</p>")
        index = names.index(winner) if winner in names else 0
        arm = st.selectbox("Arm", names, index=index, key=f"arm-{experiment.name}")
        st.button(
            "Ship the arm",
            key=f"ship-{experiment.name}",
            type="primary",
            on_click=back_office.change,
            args=[
                f"{arm} is everybody's",
                partial(gateway().ship, experiment.name, str(arm), key=back_office.key()),
            ],
        )


st.html('<p class="kicker">Experiments</p><h1 class="page-title">What is being tried</h1>')
found = gateway().experiments().experiments
if not found:
    cards.notice("No experiment is defined. The shop's experiments stand in the file experiments.yaml.")
for each in found:
    show_experiment(each)
