"""A run report in, its plots out as inline SVG that takes its colours from the page, and so follows dark and light."""

import io
import re
from collections.abc import Sequence
from typing import Any, Final, Literal

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from trainer.report.figures import ModelFigures, RunReport, TwoStageFigures

# Placeholders that matplotlib can draw with; in the SVG they become the page's CSS variables.
_INK: Final = "#010203"
_SERIES: Final = ("#010211", "#010212", "#010213", "#010214", "#010215", "#010216")
_DASHES: Final = ("-", "--", ":", "-.")  # six colours, then the same ones with another dash


_STYLE: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",  # text stays text: searchable, and in the page's font
    "svg.hashsalt": "report",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.parse_math": False,
    "text.color": _INK,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": _INK,
    "grid.alpha": 0.12,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 2.0,
}


def draw(report: RunReport) -> dict[str, Markup]:
    """SVG by name: `metrics`, `recall_by_n`, `exposure`, `training` and `two_stage`, those that there is data for."""
    plots = {}
    with mpl.rc_context(_STYLE):
        if report.models:
            plots["metrics"] = _metrics(report.models, k=report.k)
            plots["recall_by_n"] = _recall_by_n(report.models)
            plots["exposure"] = _exposure(report.models, k=report.k)
        if report.training_curves:
            plots["training"] = _training(report)
        if report.two_stage is not None and report.two_stage.budget.rows:
            plots["two_stage"] = _two_stage(report.two_stage)
    return plots


def _metrics(models: Sequence[ModelFigures], *, k: int) -> Markup:
    figure = Figure(figsize=(8.4, 0.9 + 0.34 * len(models)), layout="constrained")
    for axes, metric in zip(figure.subplots(1, 2, sharey=True), (f"recall@{k}", f"ndcg@{k}"), strict=True):
        for place, model in enumerate(models):
            interval = model.metrics[metric]
            colour = _SERIES[place % len(_SERIES)]
            axes.plot([interval.low, interval.high], [place, place], color=colour, linewidth=4, alpha=0.45)
            axes.plot([interval.value], [place], "o", color=colour, markersize=7)
        axes.set_title(_title(metric), fontsize=10, loc="left")
        axes.set_yticks(range(len(models)), [model.name for model in models])
        axes.set_ylim(len(models) - 0.5, -0.5)
        axes.set_xlim(left=0)
        axes.xaxis.set_major_locator(MaxNLocator(4))
    return _svg(figure, f"Recall and NDCG at {k} with 95 % intervals, one row a model")


def _recall_by_n(models: Sequence[ModelFigures]) -> Markup:
    figure, axes = _one_plot(xlabel="list length N", ylabel="Recall@N")
    for place, model in enumerate(models):
        _line(axes, range(1, len(model.recall_by_n) + 1), model.recall_by_n, name=model.name, place=place)
    axes.set_ylim(bottom=0)
    return _svg(figure, "Recall against list length", legend="best")


def _exposure(models: Sequence[ModelFigures], *, k: int) -> Markup:
    figure, axes = _one_plot(
        xlabel="most exposed items, share of the catalogue", ylabel=f"share of the places in lists of {k}"
    )
    axes.plot([0, 100], [0, 1], color=_INK, linewidth=1, alpha=0.35, label="all items alike")
    for place, model in enumerate(models):
        _line(axes, range(101), [0.0, *model.exposure_shares], name=model.name, place=place)
    axes.xaxis.set_major_formatter(PercentFormatter())
    axes.yaxis.set_major_formatter(PercentFormatter(xmax=1))
    return _svg(figure, "How few items take how many of the places", legend="lower right")


def _training(report: RunReport) -> Markup:
    figure, axes = _one_plot(xlabel="epoch")
    for place, curve in enumerate(report.training_curves):
        _line(axes, curve.epochs, curve.values, name=f"{curve.model}: {_title(curve.metric)}", place=place)
    return _svg(figure, "Training curves", legend="best")


def _two_stage(two_stage: TwoStageFigures) -> Markup:
    figure, axes = _one_plot(xlabel="candidates N", ylabel="Recall@20 after re-ranking")
    budget = two_stage.budget
    axes.axhline(budget.exact_recall, color=_INK, linewidth=1, alpha=0.5, label="exact search")
    for place, spec in enumerate(dict.fromkeys(row.spec for row in budget.rows)):
        rows = [row for row in budget.rows if row.spec == spec]
        effort = "" if spec.search_effort is None else f", effort {spec.search_effort}"
        name = f"{spec.factory} {spec.metric.replace('_', ' ')}{effort}"
        _line(axes, [row.n for row in rows], [row.recall_after_rerank for row in rows], name=name, place=place, dot="o")
    axes.set_xscale("log")
    candidate_counts = sorted({row.n for row in budget.rows})
    axes.set_xticks(candidate_counts, [str(n) for n in candidate_counts], minor=False)
    axes.minorticks_off()
    return _svg(figure, "Recall after re-ranking against the number of candidates", legend="lower right")


def _one_plot(*, xlabel: str, ylabel: str = "") -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.subplots()
    axes.set(xlabel=xlabel, ylabel=ylabel)
    return figure, axes


def _line(axes: Axes, x: Sequence[int], y: Sequence[float], *, name: str, place: int, dot: str = "") -> None:
    axes.plot(
        x,
        y,
        color=_SERIES[place % len(_SERIES)],
        linestyle=_DASHES[place // len(_SERIES) % len(_DASHES)],
        marker=dot,
        markersize=4,
        label=name,
    )


def _title(metric: str) -> str:
    name, _, k = metric.partition("@")
    words = {"ndcg": "NDCG", "mrr": "MRR"}.get(name, name.replace("_", " ").capitalize())
    return f"{words}@{k}" if k else words


def _svg(figure: Figure, description: str, *, legend: Literal["best", "lower right"] | None = None) -> Markup:
    """The figure's <svg> element without a background, with a description for screen readers."""
    if legend is not None:
        figure.axes[0].legend(loc=legend)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].replace(_INK, "var(--ink)")
    for number, placeholder in enumerate(_SERIES, start=1):
        svg = svg.replace(placeholder, f"var(--series-{number})")
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    label = Markup.escape(description)
    return Markup(svg.replace("<svg", f'<svg role="img" aria-label="{label}"', 1))
