"""What became of one request: status and body in, an `Outcome` out. Only a list that is right counts as answered."""

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from tools.chaos.shop import Question, Shop

ANSWERED: Final = "answered"
SHED: Final = "429"
NOT_STORED: Final = "not stored"  # an event, while no store takes it: refused, and said so


@dataclass(frozen=True)
class Outcome:
    """What is counted of an answer. `kind` is one of the above, or says why there was none."""

    kind: str
    level: str | None = None  # none where the answer states none
    version: str | None = None

    @property
    def has_failed(self) -> bool:
        """Neither answered, nor told to come again."""
        return self.kind not in (ANSWERED, SHED, NOT_STORED)


def judge(question: Question, status: int, body: bytes, *, shop: Shop, dearer: str) -> Outcome:
    """Judge an answer; `dearer` is the version of the dearer catalogue."""
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Outcome(SHED)
    if status == HTTPStatus.SERVICE_UNAVAILABLE and question.is_event:
        return Outcome(NOT_STORED)
    if status != HTTPStatus.OK:
        return Outcome(f"HTTP {status}")
    try:
        answer = json.loads(body)
    except ValueError:
        return Outcome("no JSON")
    if question.is_event:
        return Outcome(ANSWERED if answer["accepted"] == 1 else "event not accepted")
    wrong = _wrong(answer, question, shop, dearer)
    return Outcome(wrong or ANSWERED, level=answer.get("level"), version=answer["artifact_version"])


def _wrong(answer: dict[str, Any], question: Question, shop: Shop, dearer: str) -> str:
    """What is wrong with a list; empty: nothing."""
    items: list[dict[str, Any]] = answer["items"]
    ids = [item["item_id"] for item in items]
    if not items:
        return "empty list"
    if len(set(ids)) < len(ids):
        return "an item twice"
    if shop.off_sale & set(ids) or not all(item["available"] for item in items):
        return "an item off sale"
    # without the reranker, an item that the gateway cannot describe in the answer's version is shown by its id alone
    described = items if answer.get("level") == "full" else [item for item in items if item["price"] is not None]
    if not shop.has_prices(described, dearer=answer["artifact_version"] == dearer):
        return "items of two versions"
    if question.category is not None and {shop.category_of[each] for each in ids} != {question.category}:
        return "another category"
    if "level" in answer and answer["degraded"] != (answer["level"] != "full"):
        return "degraded contradicts level"
    return ""
