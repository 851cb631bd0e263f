"""Grafana's dashboards as code: `python -m tools.dashboards` writes deploy/monitoring/grafana/dashboards/*.json.

Rows of panels come in, each a title, a unit and a query with its legend; JSON goes out, made by Grafana's own
foundation SDK, whose types are generated from Grafana's schema. Panels ask for the recorded rules where there are some.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from grafana_foundation_sdk.builders import common, dashboard, prometheus, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement, TooltipDisplayMode
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DataSourceRef

FOLDER: Final = Path(__file__).resolve().parents[1] / "deploy/monitoring/grafana/dashboards"
_SOURCE: Final = DataSourceRef(type_val="prometheus", uid="prometheus")
_PANELS_A_ROW: Final = 3
_HEIGHT: Final = 8


@dataclass(frozen=True)
class Panel:
    """A graph."""

    title: str
    unit: str  # as Grafana names it: s, bytes, percentunit, short, reqps, dateTimeFromNow
    query: str
    legend: str = ""
    description: str = ""


@dataclass(frozen=True)
class Row:
    """A line of graphs under a heading."""

    title: str
    panels: Sequence[Panel]


SERVING: Final = (
    Row(
        "Requests",
        (
            Panel("Requests by operation", "reqps", "operation:recsys_http_requests:rate5m", "{{operation}}"),
            Panel("Share of 5xx", "percentunit", "recsys:http_errors:ratio_rate5m"),
            Panel("p99 by operation", "s", "operation:recsys_http_latency_seconds:p99_5m", "{{operation}}"),
        ),
    ),
    Row(
        "What lists are made of",
        (
            Panel(
                "Lists by level",
                "reqps",
                "level:recsys_lists:rate5m",
                "{{level}}",
                "All but full are answers of 200 and yet degraded.",
            ),
            Panel("Share of degraded lists", "percentunit", "recsys:lists_degraded:ratio_rate5m"),
            Panel("Share of empty lists", "percentunit", "recsys:lists_empty:ratio_rate5m"),
            Panel("Fill: items answered of those asked for", "percentunit", "recsys:list_fill:ratio_rate5m"),
            Panel("Circuits, 1 is open", "short", "max by (service) (recsys_circuit_open)", "{{service}}"),
            Panel("Processes that answer their scrape", "short", "sum by (job) (up)", "{{job}}"),
        ),
    ),
    Row(
        "Stages",
        (
            Panel(
                "p99 of the gateway's calls",
                "s",
                "histogram_quantile(0.99, sum by (method, le) (rate(recsys_call_latency_seconds_bucket[5m])))",
                "{{method}}",
            ),
            Panel(
                "p99 in the services",
                "s",
                "histogram_quantile(0.99, sum by (job, method, le) (rate(recsys_rpc_latency_seconds_bucket[5m])))",
                "{{job}} {{method}}",
            ),
            Panel(
                "Calls by code",
                "reqps",
                "sum by (method, code) (rate(recsys_call_latency_seconds_count[5m]))",
                "{{method}} {{code}}",
            ),
            Panel("Calls in flight", "short", "sum by (job) (recsys_rpcs_in_flight)", "{{job}}"),
            Panel(
                "p99 of the feature store",
                "s",
                "histogram_quantile(0.99, sum by (operation, le) (rate(recsys_store_latency_seconds_bucket[5m])))",
                "{{operation}}",
            ),
            Panel(
                "Share of the store's calls that fail",
                "percentunit",
                "job:recsys_store_unavailable:ratio_rate5m",
                "{{job}}",
            ),
        ),
    ),
    Row(
        "Processes",
        (
            Panel("Processor cores", "short", "rate(process_cpu_seconds_total[5m])", "{{job}} {{instance}}"),
            Panel("Resident memory", "bytes", "process_resident_memory_bytes", "{{job}} {{instance}}"),
            Panel(
                "Faults of background loops",
                "short",
                "sum by (job) (increase(recsys_background_failures_total[15m]))",
                "{{job}}",
            ),
        ),
    ),
    Row(
        "The page",
        (
            Panel(
                "Pages made",
                "reqps",
                "sum by (page, outcome) (rate(recsys_page_latency_seconds_count[5m]))",
                "{{page}}",
            ),
            Panel(
                "Its requests to the gateway",
                "reqps",
                "sum by (status) (rate(recsys_page_call_latency_seconds_count[5m]))",
                "{{status}}",
            ),
            Panel("Settings files that are refused", "short", "max by (setting) (recsys_settings_file_refused)"),
        ),
    ),
)
RECOMMENDATIONS: Final = (
    Row(
        "How candidates are found",
        (
            Panel("Candidates by source", "short", "source:recsys_candidates:rate5m", "{{source}}"),
            Panel(
                "Query vectors by origin",
                "reqps",
                "sum by (origin) (rate(recsys_query_vectors_total[5m]))",
                "{{origin}}",
                "folded_in: made from what somebody has just done.",
            ),
            Panel("Recall of the index on live requests", "percentunit", "recsys:ann_recall:ratio_6h"),
        ),
    ),
    Row(
        "What is shown",
        (
            Panel("Coverage of the catalogue", "percentunit", "recsys:shown_coverage:ratio"),
            Panel("Gini over the catalogue", "percentunit", "recsys:shown_gini:ratio"),
            Panel("Lists that these are of", "short", "max(recsys_shown_lists)"),
            Panel("Lists by vector", "reqps", "sum by (vector) (rate(recsys_list_vectors_total[5m]))", "{{vector}}"),
            Panel("Exposures that wait for the store", "short", "sum(recsys_exposures_waiting)"),
            Panel("Exposures lost", "short", "sum(increase(recsys_exposures_dropped_total[10m]))"),
        ),
    ),
)
MODELS_AND_DATA: Final = (
    Row(
        "The model",
        (
            Panel("Age", "s", "recsys:model_age:seconds"),
            Panel("Versions in memory, 1 is live", "short", "recsys_artifact_held", "{{job}} {{version}}"),
            Panel("Size", "bytes", "max(recsys_model_bytes)"),
            Panel("Items it knows", "short", "max(recsys_model_items)"),
            Panel("Users it knows", "short", "max(recsys_model_users)"),
            Panel("What a load took", "s", "max by (job, step) (recsys_artifact_load_seconds)", "{{job}} {{step}}"),
        ),
    ),
    Row(
        "Training",
        (
            Panel("The last run", "short", "max by (result) (recsys_training_last_run_result)", "{{result}}"),
            Panel("1: the gate refuses the newest version", "short", "max(recsys_training_refused)"),
            Panel("Users by whom it was judged", "short", "max(recsys_training_judging_users)"),
            Panel(
                "Held-out quality of the last run",
                "percentunit",
                "max by (metric, of) (recsys_training_last_run_quality_ratio)",
                "{{metric}} of {{of}}",
            ),
            Panel("What the last run took", "s", "max(recsys_training_last_run_duration_seconds)"),
            Panel("Since the last run", "s", "time() - max(recsys_training_last_run_timestamp_seconds)"),
        ),
    ),
    Row(
        "Events",
        (
            Panel("Events by outcome", "reqps", "sum by (outcome) (rate(recsys_events_total[5m]))", "{{outcome}}"),
            Panel(
                "Entries moved to the lake", "reqps", "sum by (kind) (rate(recsys_sink_entries_total[5m]))", "{{kind}}"
            ),
            Panel("The sink's lag", "short", "recsys:stream_lag:entries"),
            Panel("Size of the lake", "bytes", "max(recsys_lake_bytes)"),
            Panel("Rows of the lake", "short", "max by (table) (recsys_lake_rows)", "{{table}}"),
            Panel("Since the last write to it", "s", "time() - max(recsys_lake_committed_timestamp_seconds)"),
        ),
    ),
)
DASHBOARDS: Final = {
    "serving": ("Serving", SERVING),
    "recommendations": ("Recommendations", RECOMMENDATIONS),
    "models-and-data": ("Models and data", MODELS_AND_DATA),
}


def rendered(name: str) -> str:
    """One dashboard as the JSON that Grafana reads."""
    title, rows = DASHBOARDS[name]
    board = (
        dashboard.Dashboard(title)
        .uid(f"recsys-{name}")
        .tags(["recsys"])
        .readonly()
        .refresh("30s")
        .time("now-3h", "now")
        .tooltip(DashboardCursorSync.CROSSHAIR)
    )
    numbers = count(1)
    for row in rows:
        board.with_row(dashboard.Row(row.title).id(next(numbers)))
        for panel in row.panels:
            board.with_panel(_graph(panel).id(next(numbers)))
    return json.dumps(board.build(), cls=JSONEncoder, indent=1, sort_keys=True) + "\n"


def _graph(panel: Panel) -> timeseries.Panel:
    query = prometheus.Dataquery().expr(panel.query).legend_format(panel.legend or panel.title).ref_id("A").range()
    graph = timeseries.Panel().title(panel.title).unit(panel.unit).datasource(_SOURCE).with_target(query)
    if panel.description:
        graph.description(panel.description)
    if panel.unit == "percentunit":
        graph.min(0).max(1)
    legend = common.VizLegendOptions().show_legend(True).display_mode(LegendDisplayMode.LIST)
    graph.legend(legend.placement(LegendPlacement.BOTTOM))
    graph.tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    return graph.span(24 // _PANELS_A_ROW).height(_HEIGHT)


def main() -> None:
    """Write them all."""
    for name in DASHBOARDS:
        (FOLDER / f"{name}.json").write_text(rendered(name), encoding="utf-8")


if __name__ == "__main__":
    main()
