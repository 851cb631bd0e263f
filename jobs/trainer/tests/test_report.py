"""The report: everything that was measured stands in the page and in the JSON, and the page needs nothing else."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from trainer.evaluation.bootstrap import Interval, PairedDifference
from trainer.evaluation.exposures import OffPolicy
from trainer.evaluation.full_ranking import Evaluation, Segment
from trainer.evaluation.hard_negatives import HardNegatives
from trainer.evaluation.off_policy import Estimate
from trainer.publishing.two_stage import BudgetRow, LossBudget
from trainer.report import figures, page
from trainer.report.figures import Comparison, ModelFigures, RunReport, TrainingCurve, TwoStageFigures

METRICS = ("recall@2", "ndcg@2", "hit_rate@2", "mrr@2", "novelty@2")


def evaluation_of(recalls: list[float]) -> Evaluation:
    per_user = {metric: np.array(recalls) for metric in METRICS}
    return Evaluation(
        ks=(2,),
        user_rows=np.arange(len(recalls)),
        ranked=np.array([[0, 1], [0, 2]], dtype=np.int32),
        hits=np.array([[True, False], [False, True]]),
        relevant=np.array([1, 2]),
        reachable=0.75,
        per_user=per_user,
        list_level={"coverage@2": 0.75, "gini@2": 0.25},
        segments=(Segment("light users", "at most 3 items in train", {"recall@2": np.array([0.125])}),),
    )


def model(name: str, recalls: list[float]) -> ModelFigures:
    return figures.figures_of(
        name, evaluation_of(recalls), n_items=4, k=2, dim=64, fit_s=1.5, seeds={"recall@2": [0.5, 0.25]}, seed=0
    )


@pytest.fixture
def full() -> RunReport:
    row = BudgetRow(
        factory="SQfp16",
        metric="inner_product",
        search_effort=None,
        n=50,
        candidate_recall=0.4321,
        overlap=1.0,
        recall_before_rerank=0.2,
        recall_after_rerank=0.2,
        search_us=123.0,
        bytes=1000,
    )
    return RunReport(
        title="A shop <script>alert(1)</script> $x$",
        made_at=datetime(2026, 11, 23, tzinfo=UTC),
        split="The last 30 days.",
        k=2,
        models=[model("spectral", [0.5, 1.0]), model("popularity $_1", [0.25, 0.5])],
        comparisons=[Comparison("spectral", "popularity", "recall@2", PairedDifference(0.375, 0.25, 0.5, 0.004))],
        training_curves=[TrainingCurve("lightgcn", "recall@20", [1, 2], [0.1, 0.2])],
        hard_negatives=[
            figures.hard_negative_figures(
                "spectral",
                "uniform random",
                HardNegatives(user_rows=np.arange(2), recall=np.array([0.5, 1.0]), auc=np.array([0.9, 0.7]), k=10),
                seed=0,
            )
        ],
        two_stage=TwoStageFigures(LossBudget(exact_recall=0.2, users=9, rows=(row,)), chosen=row),
        off_policy=OffPolicy(
            lists=4321,
            explored_lists=1234,
            served={"clicked": Interval(0.0625, 0.05, 0.07)},
            orders={
                "the new order": {"clicked": Estimate(*[Interval(0.0875, 0.08, 0.09)] * 3, 0.375, 777.0, True, 3)},
                "another": {"clicked": Estimate(*[Interval(0.99, 0.9, 1.0)] * 3, 0.001, 2.0, False, 0)},
            },
        ),
        data={"users": 12345},
        settings={"dim": 64, "recency": None},
    )


class Page(HTMLParser):
    """Collects the tags and the text, and checks that every element is closed in its turn."""

    VOID = frozenset({"meta", "br", "use", "path"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def written(content: RunReport, folder: Path) -> tuple[str, Page]:
    path = folder / "report.html"
    page.write(content, path)
    html = path.read_text(encoding="utf-8")
    parsed = Page()
    parsed.feed(html)
    assert parsed.open == []
    return html, parsed


def test_the_page_shows_every_part_of_the_run(full: RunReport, tmp_path: Path) -> None:
    _, page = written(full, tmp_path)
    for heading in ("Models", "Differences", "Training seeds", "long tail", "Segments", "Hard negatives", "Two stages"):
        assert heading in page.text
    for figure in ("0.7500", "+0.3750", "0.004", "0.4321", "12,345", "75.0 %", "at most 3 items in train", "0.1250"):
        assert figure in page.text
    assert page.tags.count("svg") == 5


def test_the_page_shows_what_the_log_says_and_no_figure_that_rests_on_too_little(
    full: RunReport, tmp_path: Path
) -> None:
    _, page = written(full, tmp_path)
    assert "By what was shown" in page.text
    for figure in ("4,321", "1,234", "0.0625", "0.0875", "37.5 %", "777", "too little in common to tell"):
        assert figure in page.text
    assert "0.9900" not in page.text


def test_where_nothing_was_explored_the_page_says_that_no_estimate_is_honest(full: RunReport, tmp_path: Path) -> None:
    log = OffPolicy(lists=9, explored_lists=0, served={"clicked": Interval(0.5, 0.4, 0.6)}, orders={})
    _, page = written(replace(full, off_policy=log), tmp_path)
    assert "no estimate of another order is honest" in page.text


def test_the_page_fetches_nothing_and_runs_nothing(full: RunReport, tmp_path: Path) -> None:
    html, page = written(full, tmp_path)
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert "<script>" not in html
    assert not re.findall(r"""(?:href|src)=["'](?!#)""", html)
    assert not re.findall(r"url\((?!#)", html)
    assert "@import" not in html


def test_plots_take_their_colours_from_the_page(full: RunReport, tmp_path: Path) -> None:
    html, _ = written(full, tmp_path)
    assert "var(--series-1)" in html
    assert "#0102" not in html


def test_the_json_holds_the_same_figures(full: RunReport, tmp_path: Path) -> None:
    written(full, tmp_path)
    content = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert content["title"] == full.title
    assert content["made_at"] == "2026-11-23T00:00:00+00:00"
    assert content["models"][0]["metrics"]["recall@2"]["value"] == 0.75
    assert content["two_stage"]["chosen"]["factory"] == "SQfp16"
    assert content["models"][0]["recall_by_n"] == [0.5, 0.75]


def test_equal_reports_make_equal_files(full: RunReport, tmp_path: Path) -> None:
    first, _ = written(full, tmp_path)
    second, _ = written(full, tmp_path)
    assert first == second


def test_a_run_that_measured_little_makes_a_short_page(full: RunReport, tmp_path: Path) -> None:
    bare = replace(full, models=[], comparisons=[], training_curves=[], hard_negatives=[], two_stage=None)
    _, page = written(bare, tmp_path)
    assert "Two stages" not in page.text
    assert "svg" not in page.tags
    assert "12,345" in page.text


def test_a_model_that_lacks_a_segment_shows_a_dash(full: RunReport, tmp_path: Path) -> None:
    partial = [full.models[0], replace(full.models[1], segments=[])]
    _, page = written(replace(full, models=partial), tmp_path)
    assert "light users" in page.text
    assert page.text.count("0.1250") == 3  # one value and its two ends


def test_figures_of_a_model_summarise_its_evaluation() -> None:
    figures = model("spectral", [0.5, 1.0])
    assert figures.metrics["recall@2"].value == 0.75
    assert figures.recall_by_n == [0.5, 0.75]
    assert figures.users == 2
    # Of four places item 0 takes two, items 1 and 2 one each, item 3 none: 25 % of the items hold half of the places.
    assert [figures.exposure_shares[percent - 1] for percent in (25, 50, 75, 100)] == [0.5, 0.75, 1, 1]
    assert figures.segments[0].metrics["recall@2"] == Interval(0.125, 0.125, 0.125)
