"""Requests of the services out of what a caller asked for and what the feature store knows. Nothing is sent here."""

from collections.abc import Sequence
from typing import Final, TypeAlias

from gateway.experiments.file import Arm
from gateway.requests import Filter, RecommendationRequest, Rule
from gateway.settings import Settings
from recsys.feature_store.interface import Profile, Subject
from recsys.v1 import candidate_gen_service_pb2 as first_stage
from recsys.v1 import item_pb2
from recsys.v1 import reranker_service_pb2 as second_stage

ToFind: TypeAlias = (
    first_stage.GetCandidatesRequest | first_stage.GetPopularItemsRequest | first_stage.GetSimilarItemsRequest
)
"""What the first stage is asked."""

Found: TypeAlias = (
    first_stage.GetCandidatesResponse | first_stage.GetPopularItemsResponse | first_stage.GetSimilarItemsResponse
)
"""Candidates of the first stage."""

PERSONAL_ALONE: Final = second_stage.BlendWeights(personal=1.0)
"""Similar, bought together and popular items keep the order of their own scores, whatever a version's blend."""


def subject_of(asked: RecommendationRequest) -> Subject | None:
    """For whom; none: nobody in particular."""
    if asked.user_id is not None:
        return Subject("user", asked.user_id)
    return Subject("session", asked.session_id) if asked.session_id is not None else None


def candidates_request(
    asked: RecommendationRequest, profile: Profile | None, *, count: int, erased_sequence: int, events_after: int
) -> first_stage.GetCandidatesRequest:
    """What the first stage is asked.

    Places in the stream, or 0: `erased_sequence`, of the user's latest erasure; `events_after`, up to which the profile
    omits events.
    """
    types = asked.exclude_seen if isinstance(asked.exclude_seen, list) else []
    request = first_stage.GetCandidatesRequest(
        count=count,
        basket_item_ids=asked.item_ids,
        include_seen=asked.exclude_seen is False,
        seen_event_types=types,
        filter=filter_of(asked.filter),
        explain=asked.explain,
    )
    if profile is None:
        return request
    if profile.subject.kind == "user":
        request.user_id = profile.subject.id
        request.erased_sequence = erased_sequence
        request.history = profile.history
    give_events(request, profile, after=events_after)
    if not request.include_seen:
        seen = [ids for event_type, ids in profile.seen.items() if not types or event_type in types]
        request.seen_item_ids.extend(sorted(set().union(*seen)))
    return request


def give_events(request: first_stage.GetCandidatesRequest, profile: Profile, *, after: int = 0) -> None:
    """Say what somebody did lately, and after which place in the stream."""
    del request.events[:]
    for event in profile.recent:
        request.events.add(
            item_id=event.item_id,
            event_type=event.event_type,
            sequence=event.sequence,
            unix_s=event.unix_ms // 1000,
        )
    request.events_after = after if profile.omitted else 0


def filter_of(only: Filter) -> item_pb2.Filter | None:
    """What items may be answers; none: whatever is on sale."""
    if not only.model_fields_set or only == _ANY:
        return None
    return item_pb2.Filter(**only.model_dump(exclude_none=True))  # named alike


def rerank_request(
    asked: RecommendationRequest,
    arm: Arm | None,
    *,
    shop_wide: Sequence[second_stage.Rule],
    settings: Settings,
    seed: int,
) -> second_stage.RerankRequest:
    """What the second stage is asked, but for candidates and count.

    The caller's own word counts before an arm's, and an arm's before the settings'.
    """
    blend = asked.blend or (arm.blend if arm else None) or settings.blend
    diversity = asked.diversity or (arm.diversity if arm else None) or settings.diversity
    share = settings.exploration if arm is None or arm.exploration is None else arm.exploration
    request = second_stage.RerankRequest(explain=asked.explain, with_remainder=asked.paginate)
    if blend is not None:
        request.blend.CopyFrom(second_stage.BlendWeights(**dict(blend)))
    if diversity is not None:
        request.diversity.mmr_lambda = 1.0 if diversity.mmr_lambda is None else diversity.mmr_lambda  # relevance alone
        request.diversity.max_per_category = diversity.max_per_category or 0
    if share:
        request.exploration.CopyFrom(second_stage.Exploration(share=share, seed=seed))
    request.rules.extend(shop_wide)
    request.rules.extend(map(rule_to_wire, asked.rules))
    only = filter_of(asked.filter)
    if only is not None and request.rules:  # a pinned item need not be a candidate, but it must pass too
        request.filter.CopyFrom(only)
    return request


def rule_to_wire(rule: Rule) -> second_stage.Rule:
    """The message of a rule."""
    return second_stage.Rule(**dict(rule))  # named alike


def hand_over(found: Found, request: second_stage.RerankRequest) -> None:
    """From the first stage's answer into the second's request, as it is."""
    request.artifact_version = found.artifact_version
    request.candidates.CopyFrom(found.candidates)
    if not isinstance(found, first_stage.GetCandidatesResponse):
        return
    if found.query_vector:
        request.query_vector = found.query_vector
    else:
        request.ClearField("query_vector")
    if request.explain:
        request.history.CopyFrom(found.history)


_ANY: Final = Filter()
