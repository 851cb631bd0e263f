"""From what services and feature store say to the public JSON of `schemas`: all but ranked lists."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from gateway import answers
from gateway.shop import cursors, events
from gateway.shop.history import Had, Past
from gateway.shop.item_json import item_json
from recsys.feature_store.interface import Erasure
from recsys.shop.item import ItemRecord
from recsys.v1 import item_pb2, model_service_pb2, user_service_pb2


def item_page(
    artifact_version: str, items: Iterable[item_pb2.Item], *, next_after: str | None = None
) -> answers.ItemPage:
    """A page of the catalogue; `next_after` is the id that the next one starts after."""
    return answers.ItemPage(
        artifact_version=artifact_version,
        items=[answers.Item.model_validate(item_json(item)) for item in items],
        next_cursor=None if next_after is None else cursors.encode(next_after),
    )


def single_item(message: item_pb2.Item, *, artifact_version: str) -> answers.SingleItem:
    """One item, with the version that knows it."""
    return answers.SingleItem.model_validate({"artifact_version": artifact_version, **item_json(message)})


def history(past: Past) -> answers.History:
    """What a user had, with what the catalogue says about it."""
    return answers.History(
        artifact_version=past.artifact_version,
        user_known=past.user_known,
        total=past.total,
        items=[_history_item(had, past.described.get(had.item_id)) for had in past.latest],
        degraded=past.is_degraded,
    )


def event_outcome(outcome: events.Outcome) -> answers.EventOutcome:
    """What became of the rows of a request."""
    return answers.EventOutcome(
        accepted=len(outcome.event_ids),
        duplicates=outcome.duplicates,
        rejected=rejected_events(outcome.rejected),
        unknown_items=outcome.unknown_items,
        clock_skewed=outcome.clock_skewed,
        event_ids=outcome.event_ids,
    )


def rejected_events(rejected: Sequence[events.Rejected]) -> list[answers.RejectedEvent]:
    """Rows that were not stored."""
    return [answers.RejectedEvent(index=one.index, event_id=one.event_id, reason=one.reason) for one in rejected]


def item_changes(records: Sequence[ItemRecord]) -> answers.ItemChangesDone:
    """The records as they are after the changes."""
    return answers.ItemChangesDone(
        changed=len(records),
        items=[
            answers.ChangedItem(
                item_id=record.item_id,
                deleted=record.is_deleted,
                updated_at=datetime.fromtimestamp(record.updated_ms / 1000, UTC),
            )
            for record in records
        ],
    )


def erasure(found: Erasure, *, model: model_service_pb2.GetModelResponse | None) -> answers.ErasureReport:
    """How far an erasure has come; without a model's word, nothing is claimed of it."""
    lake_erased_at = None if found.lake_erased_ms is None else datetime.fromtimestamp(found.lake_erased_ms / 1000, UTC)
    return answers.ErasureReport(
        user_hash=found.user_hash,
        erased_at=datetime.fromtimestamp(found.erased_ms / 1000, UTC),
        store_entries=found.store_entries,
        lake_rows=found.lake_rows,
        lake_erased_at=lake_erased_at,
        model_is_newer=None if model is None else model.stream_sequence >= found.sequence,
        artifact_version=None if model is None else model.artifact_version,
    )


def user_page(found: user_service_pb2.ListUsersResponse, *, erased_sequence: Callable[[str], int]) -> answers.UserPage:
    """A page of users, without those who were erased a moment ago, and the cursor of the next."""
    return answers.UserPage(
        artifact_version=found.artifact_version,
        users=[
            answers.User(user_id=user.user_id, history_size=user.history_size)
            for user in found.users
            if erased_sequence(user.user_id) <= found.stream_sequence
        ],
        next_cursor=cursors.encode(found.users[-1].user_id) if found.has_more else None,
    )


def model(
    candidate_gen: model_service_pb2.GetModelResponse, reranker: model_service_pb2.GetModelResponse
) -> answers.Model:
    """The live model, which is the one that candidate_gen proposes from, and what each service holds."""
    return answers.Model.model_validate(
        {
            "artifact_version": candidate_gen.artifact_version,
            "model": candidate_gen.model,
            "dim": candidate_gen.dim,
            "user_count": candidate_gen.user_count,
            "item_count": candidate_gen.item_count,
            "trained_at": candidate_gen.trained_at,
            "metrics": [_metric(metric) for metric in candidate_gen.metrics],
            "services": {"candidate_gen": _service_model(candidate_gen), "reranker": _service_model(reranker)},
            "last_run": _training_run(candidate_gen.last_run) if candidate_gen.HasField("last_run") else None,
        }
    )


def _history_item(had: Had, described: item_pb2.Item | None) -> answers.HistoryItem:
    item = item_json(described or item_pb2.Item(item_id=had.item_id))
    return answers.HistoryItem.model_validate({**item, "event_type": had.event_type, "last_event_at": had.at})


def _metric(message: model_service_pb2.Metric) -> answers.Metric:
    return answers.Metric(
        name=message.name,
        value=message.value,
        low=message.low if message.HasField("low") else None,
        high=message.high if message.HasField("high") else None,
    )


def _training_run(message: model_service_pb2.TrainingRun) -> answers.TrainingRun:
    return answers.TrainingRun(
        artifact_version=message.artifact_version,
        passed=message.passed,
        reasons=list(message.reasons),
        users_judged=message.users_judged if message.HasField("users_judged") else None,
    )


def _service_model(message: model_service_pb2.GetModelResponse) -> answers.ServiceModel:
    return answers.ServiceModel(
        artifact_version=message.artifact_version,
        held_versions=list(message.held_versions),
        refused=message.refused or None,
    )
