"""What the log of exposures is told of an answer: who was given which items with which probability, in which arm."""

from collections.abc import Sequence

from gateway.lists.list_cursors import ListFacts
from recsys.feature_store.interface import Exposure, Subject
from recsys.observability.logging import request_id
from recsys.shop.sources import labels
from recsys.v1.item_pb2 import RankedItem


def exposure(
    list_id: str, facts: ListFacts, shown: Sequence[RankedItem], *, unix_ms: int, latency_ms: float
) -> Exposure:
    """Of a page of a list."""
    who, arm = facts.subject, facts.experiment
    subject = None
    if who:
        subject = Subject("session", who.session_id or "") if who.user_id is None else Subject("user", who.user_id)
    return Exposure(
        list_id=list_id,
        subject=subject,
        unix_ms=unix_ms,
        item_ids=tuple(each.item.item_id for each in shown),
        propensities=tuple(each.propensity for each in shown),
        artifact_version=facts.artifact_version,
        experiment=arm.name if arm else None,
        arm=arm.arm if arm else None,
        latency_ms=latency_ms,
        request_id=request_id.get(),
        sources=tuple(",".join(labels(tuple(each.sources))) for each in shown),
        level=facts.level,
    )
