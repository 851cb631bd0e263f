"""What the log of exposures is told of an answer: who was shown which items with which probability, in which arm."""

from gateway.live import now_ms
from gateway.paging import Page
from gateway.recommend import Recommended
from recsys.feature_store.interface import Exposure, Subject
from recsys.observability.logging import request_id


def first_page(answer: Recommended, *, latency_ms: float) -> Exposure:
    """Of a list that was ranked just now."""
    assignment = answer.assignment
    return Exposure(
        list_id=answer.list_id,
        subject=answer.subject,
        unix_ms=now_ms(),
        item_ids=tuple(ranked.item.item_id for ranked in answer.shown.items),
        propensities=tuple(ranked.propensity for ranked in answer.shown.items),
        artifact_version=answer.shown.artifact_version,
        experiment=assignment.experiment if assignment else None,
        arm=assignment.arm.name if assignment else None,
        latency_ms=latency_ms,
        request_id=request_id.get(),
    )


def further_page(page: Page, *, latency_ms: float) -> Exposure:
    """Of a part of a list that was ranked before."""
    facts = page.rest.facts
    return Exposure(
        list_id=page.list_id,
        subject=_subject(facts.subject.user_id, facts.subject.session_id) if facts.subject else None,
        unix_ms=now_ms(),
        item_ids=tuple(listed.item.item_id for listed in page.items),
        propensities=tuple(listed.propensity for listed in page.items),
        artifact_version=facts.artifact_version,
        experiment=facts.experiment.name if facts.experiment else None,
        arm=facts.experiment.arm if facts.experiment else None,
        latency_ms=latency_ms,
        request_id=request_id.get(),
    )


def _subject(user_id: str | None, session_id: str | None) -> Subject | None:
    if user_id is not None:
        return Subject("user", user_id)
    return Subject("session", session_id) if session_id is not None else None
