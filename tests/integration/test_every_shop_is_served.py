"""What the trainer publishes for shops that have next to nothing is served, with what came since on top."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from live_shop import change, record, set_trending
from ranked_shop import ids
from two_services import System

from candidate_gen.retriever import Asker, Conditions, Retriever
from candidate_gen.sources import SourceCounts
from candidate_gen.users import history, page
from recsys.artifact import layout
from recsys.artifact.reader import Artifact, newest_manifest, open_artifact
from recsys.feature_store.follower import LiveState
from recsys.v1.candidate_gen_service_pb2 import VECTOR_ORIGIN_NONE
from reranker.ranker import Ranker
from reranker.request import Proposed, RankRequest
from trainer import pipeline
from trainer.choosing.recipe import ALSRecipe
from trainer.models.als import ALSSettings
from trainer.settings import Settings
from trainer.shop_data import event_files
from trainer.shop_data.shop import Shop

CATALOGUE = ["a", "b", "c"]
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def shop_of(*pairs: tuple[str, str], catalogue: list[str] | None = None) -> Shop:
    """Purchases of users, all at one moment, and items that the catalogue has beside."""
    frame = pl.DataFrame(
        {
            "user_id": [user for user, _ in pairs],
            "item_id": [item for _, item in pairs],
            "event_type": ["purchase"] * len(pairs),
            "timestamp": [MOMENT] * len(pairs),
            "quantity": [1.0] * len(pairs),
            "value": [None] * len(pairs),
        },
        schema=event_files.SCHEMA,
    )
    ids = pl.Series("item_id", catalogue or [], dtype=pl.String)
    items = pl.DataFrame({"item_id": ids}).with_columns(
        pl.col("item_id").alias("title"),
        pl.lit(None, pl.String).alias("category"),
        pl.lit(None, pl.Float64).alias("price"),
        pl.lit(None, pl.String).alias("image_url"),
        pl.lit(True).alias("available"),
    )
    return Shop(frame, items, {"purchase": 5.0})


def trained(shop: Shop, volume: Path) -> Artifact:
    outcome = pipeline.train(shop, settings=Settings(artifact_dir=volume), recipe=None, force=False)
    assert outcome.activated
    assert layout.current_version(volume) == outcome.version
    return open_artifact(layout.version_dir(volume, outcome.version))


def served(artifact: Artifact, live: LiveState, user_id: str, *, count: int = 10) -> list[str]:
    """Through both stages, as the gateway goes."""
    retriever = Retriever(artifact, live=live, counts=SourceCounts())
    retriever.warm()
    ranker = Ranker(artifact, live=live)
    ranker.warm()
    found = retriever.candidates(Asker(user_id=user_id), Conditions(), count=count).candidates
    proposed = Proposed(
        np.array(found.rows, np.int64),
        np.array(found.scores, np.float32),
        np.array(found.sources, np.uint32),
        tuple(found.new_item_ids),
    )
    return ids(ranker.rank(RankRequest(candidates=proposed, count=count)))


SHOPS = {
    "nothing": shop_of(),
    "a catalogue alone": shop_of(catalogue=CATALOGUE),
    "one item": shop_of(("u", "a")),
    "popular items": shop_of(("u", "b"), ("v", "b"), ("v", "a"), ("w", "b"), ("w", "a"), ("w", "c")),
}


@pytest.mark.parametrize(
    ("name", "of_u", "of_a_stranger"),
    [
        ("nothing", [], []),
        ("a catalogue alone", ["a", "b", "c"], ["a", "b", "c"]),
        ("one item", [], ["a"]),
        ("popular items", ["a", "c"], ["b", "a", "c"]),
    ],
)
def test_a_first_version_serves_what_there_is_and_nothing_that_was_had(
    name: str, of_u: list[str], of_a_stranger: list[str], tmp_path: Path
) -> None:
    artifact = trained(SHOPS[name], tmp_path)
    assert artifact.manifest.model == "popularity"
    assert served(artifact, LiveState(), "u") == of_u
    assert served(artifact, LiveState(), "stranger") == of_a_stranger


@pytest.mark.parametrize("name", SHOPS)
def test_an_item_that_the_shop_adds_and_one_that_trends_are_served_by_every_first_version(
    name: str, tmp_path: Path
) -> None:
    live = LiveState()
    change(live, *(record(item, is_whole=True, title=item) for item in ("new", "hot")))
    set_trending(live, {"hot": 3.0})
    assert {"new", "hot"} <= set(served(trained(SHOPS[name], tmp_path), live, "stranger"))


def test_items_with_events_are_not_called_new_where_no_item_has_a_vector(tmp_path: Path) -> None:
    artifact = trained(shop_of(("u", "b"), ("v", "b"), catalogue=CATALOGUE), tmp_path)
    retriever = Retriever(artifact, live=LiveState(), counts=SourceCounts())
    found = retriever.candidates(Asker(), Conditions(), count=1, explain=True).candidates
    new = next(each.ranked for each in found.lists if each.source.name == "NEW")
    assert [artifact.items.id_of(row) for row, _ in new] == ["a", "c"]


@pytest.mark.parametrize("name", SHOPS)
def test_look_ups_of_users_and_items_answer_in_every_first_version(name: str, tmp_path: Path) -> None:
    artifact = trained(SHOPS[name], tmp_path)
    retriever = Retriever(artifact, live=LiveState(), counts=SourceCounts())
    assert history(artifact, LiveState(), "stranger", count=5) is None
    listed = page(artifact, LiveState(), prefix="", after_user_id="", page_size=5)
    assert len(listed.users) == artifact.manifest.user_count
    for row in range(artifact.manifest.item_count):
        assert not len(retriever.similar(artifact.items.id_of(row), Conditions(), count=3).rows)
    assert len(retriever.popular(Conditions(), count=5).rows) == artifact.manifest.item_count


def test_the_services_start_with_an_empty_version_and_tell_what_it_is(system: System) -> None:
    trained(SHOPS["nothing"], system.volume)
    system.poll()
    assert [info.model for info in system.model_infos()] == ["popularity"] * 2
    found = system.candidates("anybody")
    assert found.vector_origin == VECTOR_ORIGIN_NONE
    assert len(system.rerank(found).items) == 0
    run = system.model_infos()[0].last_run
    assert (run.artifact_version, run.passed, run.users_judged) == (found.artifact_version, True, 0)
    assert "popular items are the model" in run.reasons[0]


def test_a_refused_run_is_told_by_the_service_that_goes_on_with_the_version_before(system: System) -> None:
    trained(SHOPS["popular items"], system.volume)
    system.poll()
    refused_run(system.volume)
    system.poll()
    info = system.model_infos()[0]
    newest = newest_manifest(system.volume)
    assert newest is not None
    assert info.artifact_version != info.last_run.artifact_version == newest.version
    assert not info.last_run.passed
    assert "the live version stays" in info.last_run.reasons[0]


def refused_run(volume: Path) -> None:
    """A run that the gate refuses: nobody can judge a recipe that is not the live one's."""
    recipe = ALSRecipe(settings=ALSSettings(dim=1, iterations=1))
    outcome = pipeline.train(SHOPS["popular items"], settings=Settings(artifact_dir=volume), recipe=recipe, force=False)
    assert not outcome.activated
