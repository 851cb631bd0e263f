"""Requests as the ranking takes them, and rankings and items as the wire has them; arrays as a whole.

What is wrong with a request whatever the model is refused here, by the name of the field.
"""

import struct
from array import array
from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from itertools import chain
from math import isfinite
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from recsys.blend import BlendWeights
from recsys.errors import InvalidArgumentError, OtherReleaseError
from recsys.ranking_features import NOTHING_TAKEN_UP, TakenUp
from recsys.shop.filter import NO_FILTER, filter_from_wire
from recsys.shop.item_wire import sources_to_wire
from recsys.v1 import item_pb2
from recsys.v1 import reranker_service_pb2 as pb
from recsys.v1.candidate_gen_service_pb2 import HistoryVectors as WireHistory
from recsys.v1.item_pb2 import CandidateSet
from reranker.explanation import Explanation
from reranker.ranker import RankedItem, RestItem
from reranker.request import Diversity, Exploration, HistoryVectors, Proposed, RankRequest, Rule, SourceList

_FLOAT32: Final = np.dtype("<f4")
_UINT32: Final = np.dtype("<u4")
_INT64: Final = np.dtype("<i8")
ROW_BYTES: Final = _UINT32.itemsize

# fields of the wire: their number and, in three bits, how their end is found: 1 after 8 bytes, 5 after 4, 2 by a length
_ITEM_TAG: Final = bytes([pb.RerankResponse.ITEMS_FIELD_NUMBER << 3 | 2])
_SCORE_TAG: Final = item_pb2.RankedItem.SCORE_FIELD_NUMBER << 3 | 5
_PROPENSITY_TAG: Final = item_pb2.RankedItem.PROPENSITY_FIELD_NUMBER << 3 | 1
_NUMBERS: Final = struct.Struct("<BfBd")
_MOST_KEPT: Final = 256  # of what is the same in many requests

Value = TypeVar("Value", bound=np.generic)


def request_of(wire: pb.RerankRequest) -> RankRequest:
    """The request as plain values. Raises: InvalidArgumentError."""
    query = wire.WhichOneof("query")
    has_vector = query == "query_vector" and wire.query_vector != b""
    return RankRequest(
        candidates=_proposed(wire.candidates, with_lists=wire.explain),
        count=wire.count,
        query_vector=_vector("query_vector", wire.query_vector) if has_vector else None,
        item_id=wire.item_id if query == "item_id" else None,
        blend=_weights(wire.blend) if wire.HasField("blend") else None,
        diversity=_diversity(wire.diversity) if wire.HasField("diversity") else None,
        rules=[_rule(at, rule.SerializeToString()) for at, rule in enumerate(wire.rules)],
        filter=filter_from_wire(wire.filter) if wire.HasField("filter") else NO_FILTER,
        excluded_item_ids=frozenset(wire.filter.exclude_item_ids),
        exploration=_exploration(wire.exploration) if wire.HasField("exploration") else None,
        explain=wire.explain,
        history=_history(wire.history) if wire.explain else None,
    )


def _proposed(wire: CandidateSet, *, with_lists: bool) -> Proposed:
    if not wire.HasField("rows"):
        raise OtherReleaseError(
            "candidates.rows: expected bytes, found none: candidate_gen is of another release; update it"
        )
    rows = _values("candidates.rows", wire.rows, _UINT32)
    scores = _vector("candidates.scores", wire.scores)
    sources = _values("candidates.sources", wire.sources, _UINT32)
    transitions = _vector("candidates.transitions", wire.transitions) if wire.transitions else None
    for name, values in (("scores", scores), ("sources", sources), ("transitions", transitions)):
        if values is not None and len(values) != len(rows):
            raise InvalidArgumentError(
                f"candidates.{name}: expected {len(rows)} values, one for each row, found {len(values)}"
            )
    return Proposed(
        rows=rows.astype(np.int64),
        scores=scores,
        sources=sources,
        transitions=transitions,
        history=_taken_up(wire),
        new_item_ids=list(wire.new_item_ids),
        lists=[SourceList(each.source, list(each.rows), list(each.scores)) for each in wire.lists if with_lists],
    )


def _taken_up(wire: CandidateSet) -> TakenUp:
    if not wire.history_rows:
        return NOTHING_TAKEN_UP
    rows = _values("candidates.history_rows", wire.history_rows, _UINT32)
    times = _values("candidates.history_times", wire.history_times, _INT64)
    if len(times) != len(rows):
        raise InvalidArgumentError(
            f"candidates.history_times: expected {len(rows)} values, one for each row, found {len(times)}"
        )
    return TakenUp(rows.astype(np.int64), times)


def _vector(field: str, content: bytes) -> NDArray[np.float32]:
    vector = _values(field, content, _FLOAT32)
    if np.count_nonzero(np.isfinite(vector)) < len(vector):
        raise InvalidArgumentError(f"{field}: expected finite values, found NaN or infinity")
    return vector


def _values(field: str, content: bytes, dtype: np.dtype[Value]) -> NDArray[Value]:
    if len(content) % dtype.itemsize:
        raise InvalidArgumentError(
            f"{field}: expected {dtype.name} values of {dtype.itemsize} bytes each, found {len(content)} bytes"
        )
    return np.frombuffer(content, dtype)


def _weights(wire: pb.BlendWeights) -> BlendWeights:
    weights = {
        "personal": wire.personal,
        "popularity": wire.popularity,
        "recency": wire.recency,
        "transitions": wire.transitions,
    }
    for name, weight in weights.items():
        if not isfinite(weight) or weight < 0:
            raise InvalidArgumentError(f"blend.{name}: expected 0 or more, found {weight}")
    if not any(weights.values()):
        raise InvalidArgumentError("blend: expected a weight above 0, found none")
    return BlendWeights(**weights)


def _diversity(wire: pb.Diversity) -> Diversity:
    _check_share("diversity.mmr_lambda", wire.mmr_lambda)
    return Diversity(mmr_lambda=wire.mmr_lambda, max_per_category=wire.max_per_category)


def _exploration(wire: pb.Exploration) -> Exploration:
    _check_share("exploration.share", wire.share)
    return Exploration(share=wire.share, seed=wire.seed)


def _check_share(field: str, found: float) -> None:
    if not 0 <= found <= 1:  # NaN is neither
        raise InvalidArgumentError(f"{field}: expected 0 to 1, found {found}")


@lru_cache(_MOST_KEPT)
def _rule(at: int, content: bytes) -> Rule:
    """A shop's rules are the same in all requests."""
    wire = pb.Rule.FromString(content)
    match, effect = wire.WhichOneof("match"), wire.WhichOneof("effect")
    if match is None:
        raise InvalidArgumentError(f"rules[{at}]: expected a category or an item_id, found neither")
    if effect is None:
        raise InvalidArgumentError(f"rules[{at}]: expected a boost or a pin_position, found neither")
    if effect == "boost" and not (isfinite(wire.boost) and wire.boost > 0):
        raise InvalidArgumentError(f"rules[{at}].boost: expected more than 0, found {wire.boost}")
    if effect == "pin_position" and wire.pin_position == 0:
        raise InvalidArgumentError(f"rules[{at}].pin_position: expected 1 or more, found 0")
    given: dict[str, Any] = {match: getattr(wire, match), effect: getattr(wire, effect)}
    return Rule(wire.name, **given)


def _history(wire: WireHistory) -> HistoryVectors | None:
    vectors, count = _vector("history.vectors", wire.vectors), len(wire.item_ids)
    if len(vectors) % count if count else len(vectors):
        raise InvalidArgumentError(
            f"history.vectors: expected as many values for each of {count} items, found {len(vectors)} in all"
        )
    if not count:
        return None
    return HistoryVectors(list(wire.item_ids), vectors.reshape(count, -1), list(wire.transition_factors))


def page_to_wire(items: Sequence[RankedItem]) -> bytes:
    """The field `items` of a response, serialized; ten messages made field by field took 20 µs instead of 6."""
    scores = array("f", [ranked.score for ranked in items])  # as a message has it: infinite beyond float32
    return b"".join(chain.from_iterable(map(_ranked, items, scores)))


def _ranked(ranked: RankedItem, score: float) -> tuple[bytes, bytes, bytes]:
    """One of the field's messages: tag, length and content, which is its fields in any order."""
    numbers = _NUMBERS.pack(_SCORE_TAG, score, _PROPENSITY_TAG, ranked.propensity)
    content = ranked.description + numbers + _sources(ranked.sources)
    if ranked.explanation is not None:
        content += _explanation(ranked.explanation)
    return _ITEM_TAG, _varint(len(content)), content


@lru_cache(_MOST_KEPT)
def _sources(bits: int) -> bytes:
    return item_pb2.RankedItem(sources=sources_to_wire(bits)).SerializeToString()


def _explanation(explanation: Explanation) -> bytes:
    message = item_pb2.Explanation(**asdict(explanation))  # its fields are called alike
    return item_pb2.RankedItem(explanation=message).SerializeToString()


@lru_cache(_MOST_KEPT)
def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; the eighth says that more follow."""
    content = bytearray()
    while number > 127:
        content.append(number & 127 | 128)
        number >>= 7
    content.append(number)
    return bytes(content)


def remainder_to_wire(rest: Sequence[RestItem]) -> pb.Remainder:
    """What follows the page, as parallel arrays."""
    return pb.Remainder(
        item_ids=[each.item_id for each in rest],
        scores=[each.score for each in rest],
        sources=[each.sources for each in rest],
        propensities=[each.propensity for each in rest],
    )
