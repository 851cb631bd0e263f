"""A campaign's lists are those of both stages for users who have done nothing since training, item for item."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_artifact import Shop, publish, random_shop

from candidate_gen.campaigns.campaigns import Campaign
from candidate_gen.excluded import Seen
from candidate_gen.retriever import Asker, Conditions, Retriever
from candidate_gen.sources import SourceCounts
from recsys.artifact.manifest import AgeInfo, BlendInfo, TransitionsInfo
from recsys.artifact.reader import open_artifact
from recsys.artifact.transitions import Transitions
from recsys.feature_store.follower import LiveState
from recsys.shop.filter import Filter
from recsys.shop.item import Item
from recsys.shop.item_wire import item_from_wire
from recsys.v1 import item_pb2
from reranker.ranker import Ranker
from reranker.request import Proposed, RankRequest

CANDIDATES = 30
IN_ORDER = TransitionsInfo(age=AgeInfo(step_decay=0.7), last_items=5)
TOGETHER = TransitionsInfo(counted="together", last_items=40)
EVERYTHING = BlendInfo(personal=0.3, popularity=0.1, recency=0.2, transitions=1)


def shop_of(info: TransitionsInfo | None, *, seed: int = 6, items: int = 400) -> Shop:
    """Many transitions, with many equal scores; some users have had little and some nearly everything."""
    rng = np.random.default_rng(seed)
    shop = random_shop(seed=seed, users=60, items=items)
    sizes = rng.integers(0, 25, size=items)
    transitions = info and Transitions(
        info=info,
        indptr=np.concatenate([[0], np.cumsum(sizes)]),
        items=np.concatenate([rng.permutation(items)[:size] for size in sizes]).astype(np.int32),
        scores=np.concatenate([-np.sort(-rng.integers(1, 4, size)) for size in sizes]).astype(np.float32) / 4,
    )
    return replace(shop, transitions=transitions, first_seen=1_600_000_000 + 86_400 * rng.integers(0, 90, items))


def online(
    retriever: Retriever, ranker: Ranker, user_id: str, conditions: Conditions, *, count: int
) -> list[tuple[str, float]]:
    """What both stages give to the user."""
    found = retriever.candidates(Asker(user_id=user_id), conditions, count=max(CANDIDATES, count))
    proposed = Proposed(
        rows=found.candidates.rows.astype(np.int64),
        scores=found.candidates.scores,
        sources=found.candidates.sources,
        transitions=found.transitions if len(found.transitions) else None,
    )
    ranking = ranker.rank(RankRequest(candidates=proposed, count=count, query_vector=found.query.vector))
    return [(_item(one.description).item_id, one.score) for one in ranking.items]


def _item(description: bytes) -> Item:
    return item_from_wire(item_pb2.RankedItem.FromString(description).item)


@pytest.mark.parametrize(
    ("info", "blend"),
    [
        (IN_ORDER, EVERYTHING),
        (TOGETHER, EVERYTHING),
        (TOGETHER, BlendInfo(personal=0, transitions=1)),
        (None, BlendInfo(popularity=0.5, recency=0.25)),
        (None, BlendInfo()),
    ],
)
@pytest.mark.parametrize(
    "conditions",
    [
        Conditions(),
        Conditions(seen=Seen(is_included=True)),
        Conditions(seen=Seen(event_types=["view"])),
        Conditions(filter=Filter(categories=("odd",)), exclude_item_ids=["item-00003"]),
    ],
)
@pytest.mark.parametrize("count", [10, 50])
def test_a_list_of_a_campaign_is_the_list_of_both_stages(
    tmp_path: Path, *, info: TransitionsInfo | None, blend: BlendInfo, conditions: Conditions, count: int
) -> None:
    shop = shop_of(info)
    artifact = open_artifact(publish(shop, tmp_path, blend=blend))
    retriever = Retriever(artifact, live=LiveState(), counts=SourceCounts(transitions=12, popular=6))
    ranker = Ranker(artifact)
    lists = Campaign(retriever, conditions, count=count, candidates=CANDIDATES).lists(shop.user_ids)
    found = list(zip(artifact.items.ids_of(lists.rows), lists.scores.tolist(), strict=True))
    ends = np.cumsum(lists.lengths).tolist()
    for user_id, end, length in zip(shop.user_ids, ends, lists.lengths.tolist(), strict=True):
        expected = online(retriever, ranker, user_id, conditions, count=count)
        mine = found[end - length : end]
        assert [item_id for item_id, _ in mine] == [item_id for item_id, _ in expected]
        assert [score for _, score in mine] == pytest.approx([score for _, score in expected], rel=1e-5, abs=1e-6)
