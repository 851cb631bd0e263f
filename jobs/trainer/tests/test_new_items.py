"""The map from facts to embeddings, and how items that nobody had taken up before a window are judged."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray
from two_tastes import DAYS, START, two_tastes

from recsys.artifact.catalogue import ATTRIBUTE
from recsys.artifact.item_content import ItemContent
from recsys.artifact.manifest import BlendInfo, ItemContentInfo
from recsys.artifact.ranker import RankedByTrees
from recsys.item_features import features
from recsys.item_vector import packed
from recsys.shop.item import Item
from trainer.choosing import judging, new_items
from trainer.choosing.blending import Blend, Values
from trainer.choosing.new_items import BY_CONTENT, ORDERS, TODAY, Facts, JudgedNewItems
from trainer.choosing.recipe import ALSRecipe, PopularityRecipe
from trainer.evaluation import split as splits
from trainer.evaluation.split import Split
from trainer.models import als, item_content
from trainer.models.als import ALSSettings
from trainer.models.embeddings import Embeddings
from trainer.report import run_report, table
from trainer.settings import Settings
from trainer.shop_data.shop import Shop

WEIGHTS = {"purchase": 5.0}
CUT = START + timedelta(days=DAYS - 40)
RECIPE = ALSRecipe(settings=ALSSettings(dim=8, iterations=5))
SETTINGS = Settings(horizon_days=40)
NEW = 50  # items that come with the window: more than a list holds


@pytest.fixture(scope="module")
def shop() -> Shop:
    """Two tastes, and after the cut new items that each user buys by the same taste; the title says nothing of it."""
    old = two_tastes(n_users=120)
    rng = np.random.default_rng(1)
    rows = []
    for user in range(120):
        for item in rng.permutation(np.arange(user % 2, NEW, 2))[:9]:
            moment = CUT + timedelta(minutes=int(rng.integers(39 * 24 * 60)))
            rows.append((f"u{user:03}", f"n{item:03}", "purchase", moment, 1.0, None))
    events = pl.DataFrame(rows, schema=old.events.schema, orient="row")
    catalogue = pl.DataFrame(
        {
            "item_id": [f"n{item:03}" for item in range(NEW)] + ["never"],
            "title": ["Thing"] * (NEW + 1),
            "category": [("even", "odd")[item % 2] for item in range(NEW)] + ["even"],
            "price": [5.0] * (NEW + 1),
            "image_url": pl.Series([None] * (NEW + 1), dtype=pl.String),
            "available": [True] * (NEW + 1),
        }
    )
    return Shop(pl.concat([old.events, events]).sort("timestamp"), pl.concat([old.catalogue, catalogue]), WEIGHTS)


@pytest.fixture(scope="module")
def window(shop: Shop) -> Split:
    return splits.temporal(shop.events, weights=WEIGHTS, cut=CUT, horizon_days=41)


@pytest.fixture(scope="module")
def fitted(window: Split) -> Embeddings:
    return als.fit(window.train, RECIPE.settings, seed=0)


@pytest.fixture(scope="module")
def judged(shop: Shop, window: Split, fitted: Embeddings) -> JudgedNewItems:
    found = new_items.judge(fitted, window, Facts.of(shop), Blend(), settings=SETTINGS)
    assert found is not None
    return found


def dense(items: list[Item], info: ItemContentInfo) -> NDArray[np.float64]:
    rows = np.zeros((len(items), info.columns + info.vector_length))
    for row, item in zip(rows, items, strict=True):
        found = features(item, price_edges=info.price_edges, vector_length=info.vector_length)
        np.add.at(row, found.columns, found.values)
        row[info.columns :] = found.vector or 0
    return rows


@pytest.mark.parametrize(("n_items", "numbers"), [(30, 0), (400, 0), (30, 5), (400, 5)])
def test_the_map_is_the_ridge_regression_that_its_docstring_states(n_items: int, numbers: int) -> None:
    rng = np.random.default_rng(2)
    words = rng.choice(["red", "blue", "lamp", "cup", "rug"], size=(n_items, 2))
    catalogue = pl.DataFrame(
        {
            "item_id": [f"i{number:03}" for number in range(n_items)],
            "title": [" ".join(pair) for pair in words],
            "category": rng.choice(["a", "b", "c"], size=n_items),
            "price": rng.integers(1, 30, size=n_items).astype(float),
            f"{ATTRIBUTE}brand": rng.choice(["x", "y"], size=n_items),
        }
    )
    if numbers:  # of one item another number of them, which does not count
        vectors = [packed(rng.standard_normal(numbers + (row == 7)).tolist()) for row in range(n_items)]
        catalogue = catalogue.with_columns(pl.Series("vector", vectors))
    embeddings = rng.standard_normal((n_items, 70)).astype(np.float32)
    users = rng.integers(0, 9, size=n_items)
    content = item_content.fit(embeddings, users, catalogue, catalogue["item_id"].to_list())
    assert content is not None
    items = item_content.items_of(catalogue, catalogue["item_id"].to_list())
    assert content.info.vector_length == numbers
    hashed, weighing = dense(items, content.info), np.diag(np.log1p(users))
    system = hashed.T @ weighing @ hashed + item_content.REGULARIZATION * np.eye(hashed.shape[1])
    expected = np.linalg.solve(system, hashed.T @ weighing @ embeddings)
    np.testing.assert_allclose(content.weights, expected, atol=1e-5)


def test_items_without_users_embedding_or_facts_teach_nothing() -> None:
    catalogue = pl.DataFrame({"item_id": ["a", "b"], "title": ["Lamp", None], "category": None, "price": [None, None]})
    catalogue = catalogue.cast({"title": pl.String, "category": pl.String, "price": pl.Float64})
    vectors = np.ones((2, 3), np.float32)
    assert item_content.fit(vectors, np.array([0, 4]), catalogue, ["a", "b"]) is None
    assert item_content.fit(vectors * 0, np.array([4, 4]), catalogue, ["a", "b"]) is None
    assert item_content.fit(vectors, np.array([4, 0]), catalogue, ["a", "b"]) is not None


def test_facts_find_the_people_and_the_other_orders_do_not(judged: JudgedNewItems) -> None:
    assert (judged.items, judged.users) == (NEW + 1, 120)  # the one that nobody ever takes up is in their way too
    assert list(judged.recall) == list(ORDERS)
    means = {name: values.mean() for name, values in judged.recall.items()}
    assert means[BY_CONTENT] > 0.7
    assert max(value for name, value in means.items() if name != BY_CONTENT) < 0.55
    assert judged.wins
    assert judged.reason.startswith("new items have embeddings by content: recall@20 of new items +0.")


def test_vectors_of_pictures_find_the_people_where_no_word_says_anything(
    shop: Shop, window: Split, fitted: Embeddings, judged: JudgedNewItems
) -> None:
    """The taste is a direction of the vectors, under a much longer one that all items share."""
    rng = np.random.default_rng(3)
    mute = shop.catalogue.with_columns(category=pl.lit(None, pl.String), price=pl.lit(5.0), title=pl.lit("Thing"))
    is_even = [int(item_id[1:]) % 2 == 0 if item_id[1:].isdecimal() else True for item_id in mute["item_id"]]
    shared = rng.standard_normal(32) * 3
    taste = rng.standard_normal(32)
    seen = np.where(is_even, 1.0, -1.0)[:, None] * taste + shared + rng.standard_normal((len(is_even), 32))
    vectors = pl.Series("vector", [packed(row.tolist()) for row in seen])

    def recall(catalogue: pl.DataFrame) -> float:
        facts = Facts.of(replace(shop, catalogue=catalogue))
        found = new_items.judge(fitted, window, facts, Blend(), settings=SETTINGS)
        assert found is not None
        return float(found.recall[BY_CONTENT].mean())

    assert recall(mute) < 0.55
    assert recall(mute.with_columns(vectors)) > 0.7


def test_what_does_not_help_or_costs_the_others_does_not_go_live(judged: JudgedNewItems) -> None:
    no_better = replace(judged, recall=judged.recall | {BY_CONTENT: judged.recall[TODAY]})
    too_dear = replace(judged, lists=judged.lists_today - 0.01)
    few = replace(judged, recall={name: values[:29] for name, values in judged.recall.items()})
    assert [each.wins for each in (no_better, too_dear, few)] == [False] * 3
    assert no_better.reason.startswith("new items have no embeddings: recall@20 of new items +0.0000")
    assert few.reason == "new items have no embeddings: 29 users took any up, 30 are needed"


def test_short_vectors_are_lengthened_where_that_is_surely_better_for_all(
    shop: Shop, window: Split, fitted: Embeddings, judged: JudgedNewItems, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(new_items, "SCALES", (1.0,))
    as_they_are = new_items.judge(fitted, window, Facts.of(shop), Blend(), settings=SETTINGS)
    assert as_they_are is not None
    assert judged.scale > as_they_are.scale == 1
    assert judged.lists.mean() > as_they_are.lists.mean()
    assert f", with vectors {judged.scale:g} times as long" in judged.reason
    np.testing.assert_array_equal(judged.lists_today, as_they_are.lists_today)
    short, long = (new_items.fit(fitted, window.train, shop.catalogue, scale=scale) for scale in (1.0, 3.0))
    assert short is not None
    assert long is not None
    np.testing.assert_allclose(long.weights, 3 * short.weights, atol=1e-5)


def test_items_with_few_users_are_drawn_towards_what_their_facts_say(
    shop: Shop, window: Split, fitted: Embeddings
) -> None:
    content = new_items.fit(fitted, window.train, shop.catalogue)
    assert content is not None
    pairs = window.train.weights.tocoo()
    kept = (pairs.col != 0) | (np.cumsum(pairs.col == 0) <= 2)  # of the first item two users are left
    weights = sp.csr_matrix((pairs.data[kept], (pairs.row[kept], pairs.col[kept])), pairs.shape)
    known = replace(window.train, weights=weights)
    drawn = new_items.shrunk_to(fitted, known, shop.catalogue, content, scale=1.5, strength=6.0)
    [first] = content.vectors(item_content.items_of(shop.catalogue, known.item_ids[:1]))
    np.testing.assert_allclose(drawn.item[0], 0.25 * fitted.item[0] + 0.75 * 1.5 * first, rtol=1e-4)
    np.testing.assert_array_equal(drawn.item[1:], fitted.item[1:])
    np.testing.assert_array_equal(drawn.user, fitted.user)


def test_they_are_judged_by_who_takes_them_up_and_by_all(shop: Shop) -> None:
    """Items that three bought before the cut, and nine others of their taste after it."""
    rng = np.random.default_rng(4)
    rows = []
    for item in range(NEW):
        buyers = rng.permutation(np.arange(item % 2, 120, 2))[:12]
        for place, user in enumerate(buyers.tolist()):
            moment = CUT + timedelta(days=-20 if place < 3 else 1, minutes=int(rng.integers(10_000)))
            rows.append((f"u{user:03}", f"f{item:03}", "purchase", moment, 1.0, None))
    others = shop.events.filter(pl.col("item_id") < "n006")  # few new ones, which take no places from these
    events = pl.concat([others, pl.DataFrame(rows, schema=shop.events.schema, orient="row")]).sort("timestamp")
    of_few = shop.catalogue.filter(pl.col("item_id").str.starts_with("n"))
    of_few = of_few.filter(pl.col("item_id") != "never").with_columns(pl.col("item_id").str.replace("n", "f"))
    listed = shop.catalogue.filter(pl.col("item_id") < "n006")
    longer = Shop(events, pl.concat([listed, of_few]), WEIGHTS)
    window = splits.temporal(events, weights=WEIGHTS, cut=CUT, horizon_days=41)
    fitted = als.fit(window.train, RECIPE.settings, seed=0)
    judged = new_items.judge(fitted, window, Facts.of(longer), Blend(), settings=SETTINGS)
    assert judged is not None
    assert judged.few is not None
    assert judged.few.users > 100
    assert judged.few.gain.low > 0
    assert judged.few.change.value >= 0
    assert judged.few.reason.startswith("items with up to 5 users are drawn towards theirs by content")
    worse = replace(judged.few.change, value=-0.001)
    assert not replace(judged.few, change=worse).wins


def test_lists_are_those_of_the_reranker(window: Split, fitted: Embeddings) -> None:
    """New items among the candidates are clipped to the scale of the others; ties go to the earlier candidate."""
    values = Values(
        items=np.array([[3, 1, 2]], np.int32),
        personal=np.array([[0.8, 0.4, 0.0]], np.float32),
        popularity=np.array([[0.0, 1.0, 0.0]]),
        recency=np.array([[0.1, 0.0, 0.0]]),
        transitions=np.zeros((1, 3), np.float32),
    )
    proposed = np.array([[1, 0, -1, 2]], np.int32)
    of_new, is_launched = np.array([[0.6, 9.0, -9.0]], np.float32), np.array([True, False, True])

    def ranked(info: BlendInfo) -> list[int]:
        [found] = new_items._ranked_with(proposed, of_new, is_launched, values, info)
        return found.tolist()

    # new item n is -2 - n, and -1 is none
    assert ranked(BlendInfo()) == [-3, 3, -2, 1, 2, -4, -1]
    assert ranked(BlendInfo(popularity=1.0)) == [1, 3, -3, -2, 2, -4, -1]  # 1.5, then 1 of both, 0.75, and 0 of both
    assert ranked(BlendInfo(recency=2.0)) == [3, -2, -4, -3, 1, 2, -1]  # 3, 2.75, 2, 1 of what was never launched, …


def test_beside_a_ranker_new_items_stand_where_the_blend_puts_them() -> None:
    """As in the reranker: of the items that the trees rank, as many stand before a new one."""
    nothing = np.zeros((1, 3))
    values = Values(
        items=np.array([[3, 1, -1]], np.int32),
        personal=np.array([[0.8, 0.4, 0.0]], np.float32),
        popularity=nothing,
        recency=nothing,
        transitions=nothing.astype(np.float32),
    )
    by_trees = [RankedByTrees(np.empty((2, 0), np.float32), np.array([1.0, 7.0]))]
    of_new, is_launched = np.array([[0.6, 9.0, -9.0]], np.float32), np.ones(3, bool)
    [found] = new_items._ranked_with(np.array([[0, 1, 2]]), of_new, is_launched, values, BlendInfo(), by_trees)
    assert found.tolist() == [-3, 1, -2, 3, -4, -1]


def test_facts_of_the_judged_are_those_of_their_first_day(shop: Shop) -> None:
    told = shop.catalogue.filter(pl.col("item_id") != "never").with_columns(title=pl.lit("As told first"))
    facts = Facts.of(replace(shop, first_told=told))
    assert facts.catalogue.filter(pl.col("title") != "As told first")["item_id"].to_list() == ["never"]
    assert facts.never_sold == ["never"]


def test_nothing_is_judged_where_there_is_nothing_to_judge(shop: Shop, window: Split, fitted: Embeddings) -> None:
    facts = Facts.of(shop)
    nothing = replace(
        facts,
        catalogue=facts.catalogue.with_columns(
            pl.lit(None).alias(name).cast(dtype)
            for name, dtype in (("title", pl.String), ("category", pl.String), ("price", pl.Float64))
        ),
    )
    popular = Embeddings(np.zeros_like(fitted.user), np.zeros_like(fitted.item))
    for embeddings, of, known in (
        (fitted, replace(window, new_items=None), facts),
        (fitted, window, nothing),
        (popular, window, facts),
    ):
        assert new_items.judge(embeddings, of, known, Blend(), settings=SETTINGS) is None


def test_the_verdict_the_report_and_the_table_tell_of_them(shop: Shop, window: Split, tmp_path: Path) -> None:
    settings = Settings(artifact_dir=tmp_path, horizon_days=40)
    facts = Facts.of(shop)
    judgement = judging.judge(
        RECIPE, window, blend=Blend(), baseline=PopularityRecipe(), live=None, settings=settings, facts=facts
    )
    assert judgement.new_items is not None
    assert f"passed: {judgement.new_items.reason}" in judging.verdict_on(judgement, 1.0, settings=settings).reasons
    figures = run_report.new_items_figures(judgement.new_items)
    assert (figures.users, list(figures.recall)) == (120, list(ORDERS))
    [*_, header, row] = [
        line
        for told in table.tables([window], RECIPE, facts=facts, settings=settings)
        for line in told.line().splitlines()
    ]
    assert header.count("|") == row.count("|")
    assert row.startswith(f"| {CUT:%Y-%m-%d} | {NEW + 1} | 120 | ")
    assert row.endswith("| yes |")


def test_services_compute_the_vectors_that_the_trainer_judged(shop: Shop, window: Split, fitted: Embeddings) -> None:
    content = new_items.fit(fitted, window.train, shop.catalogue)
    assert isinstance(content, ItemContent)
    [item] = item_content.items_of(shop.catalogue, ["n001"])
    as_the_api_has_it = Item("another id", title="Thing", category="odd", price=5.0, image_url="x", available=False)
    np.testing.assert_array_equal(content.vector(item), content.vector(as_the_api_has_it))
