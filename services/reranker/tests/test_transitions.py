"""What comes next in the second stage: read from the wire, a summand of the score, and explained."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from packed_candidates import candidate_set
from ranked_shop import EVEN, ids, proposed, ranker_of, rows_of, scores_of
from tiny_artifact import checkerboard, with_transitions

from recsys.artifact.manifest import BlendInfo
from recsys.blend import BlendWeights
from recsys.errors import InvalidArgumentError
from recsys.v1 import reranker_service_pb2 as pb
from reranker import wire
from reranker.explanation import Contribution
from reranker.ranker import Ranker
from reranker.request import HistoryVectors, RankRequest

LEADS_TO = {3: {2: 4.0, 1: 1.0}, 5: {2: 2.0}}
NEXT = np.array([0, 3, 6, 0], np.float32)  # of rows 0, 2, 4 and 1


@pytest.fixture
def board(tmp_path: Path) -> Ranker:
    """The version's own blend counts what comes next twice."""
    return ranker_of(with_transitions(checkerboard(), LEADS_TO), tmp_path, blend=BlendInfo(transitions=2))


def request(**more: object) -> RankRequest:
    candidates = replace(proposed(0, 2, 4, 1), transitions=NEXT)
    return RankRequest(candidates=candidates, count=4, query_vector=EVEN, **more)  # type: ignore[arg-type]


def test_what_comes_next_counts_by_the_versions_weight_scaled_over_the_candidates(board: Ranker) -> None:
    ranking = board.rank(request())
    appeal = np.linspace(1, 0.5, 12, dtype=np.float32)  # of even items; an odd one has none
    assert rows_of(ranking) == [4, 2, 0, 1]
    assert scores_of(ranking) == pytest.approx([appeal[4] + 2, appeal[2] + 1, 1, 0])


def test_a_requests_weights_take_the_place_of_the_versions(board: Ranker) -> None:
    assert rows_of(board.rank(request(blend=BlendWeights()))) == [0, 2, 4, 1]
    alone = board.rank(request(blend=BlendWeights(personal=0, transitions=1)))
    assert rows_of(alone)[:2] == [4, 2]
    assert scores_of(alone) == [1, 0.5, 0, 0]


def test_candidates_that_say_nothing_of_it_come_next_never(board: Ranker) -> None:
    """As from a candidate_gen of before: the order is the personal one."""
    old = RankRequest(candidates=proposed(2, 0, 4, 1), count=4, query_vector=EVEN)
    assert rows_of(board.rank(old)) == [0, 2, 4, 1]


def test_the_wire_carries_it_beside_the_scores() -> None:
    candidates = candidate_set([0, 2, 4, 1])
    assert wire.request_of(pb.RerankRequest(candidates=candidates)).candidates.transitions is None
    candidates.transitions = NEXT.tobytes()
    asked = wire.request_of(pb.RerankRequest(candidates=candidates, blend=pb.BlendWeights(transitions=3)))
    assert asked.candidates.transitions is not None
    assert asked.candidates.transitions.tolist() == NEXT.tolist()
    assert asked.blend == BlendWeights(personal=0, transitions=3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0], r"candidates\.transitions: expected 2 values, one for each row, found 1"),
        ([1.0, np.nan], r"candidates\.transitions: expected finite values"),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_name(values: list[float], message: str) -> None:
    candidates = candidate_set([0, 2])
    candidates.transitions = np.array(values, "<f4").tobytes()
    with pytest.raises(InvalidArgumentError, match=message):
        wire.request_of(pb.RerankRequest(candidates=candidates))


def test_a_weight_below_0_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match=r"blend\.transitions: expected 0 or more, found -1"):
        wire.request_of(
            pb.RerankRequest(candidates=candidate_set([0]), blend=pb.BlendWeights(personal=1, transitions=-1))
        )


def test_an_explanation_names_the_items_that_it_comes_after(board: Ranker) -> None:
    history = HistoryVectors(["item-05", "item-03", "item-07"], np.zeros((3, 2), np.float32), [1.0, 0.5])
    ranking = board.rank(request(explain=True, history=history))
    told = dict(zip(ids(ranking), (each.explanation for each in ranking.items), strict=True))
    of_two = told["item-02"]
    assert of_two is not None
    assert of_two.comes_after == [Contribution("item-05", 2.0), Contribution("item-03", 2.0)]
    assert [(term.name, term.value, term.weight) for term in of_two.terms][1:] == [("transitions", 0.5, 2.0)]
    assert told["item-04"] is not None
    assert told["item-04"].comes_after == []
    response = pb.RerankResponse.FromString(wire.page_to_wire(ranking.items[1:2]))
    assert [one.item_id for one in response.items[0].explanation.comes_after] == ["item-05", "item-03"]
