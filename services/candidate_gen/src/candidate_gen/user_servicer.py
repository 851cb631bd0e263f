"""`recsys.v1.UserService`: wire → users → wire."""

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from candidate_gen import users
from candidate_gen.retriever import Retriever
from recsys.artifact.watcher import Watcher
from recsys.feature_store.follower import LiveState
from recsys.rpc.requests import check_count, check_given
from recsys.v1.user_service_pb2 import (
    GetHistoryRequest,
    GetHistoryResponse,
    HistoryItem,
    ListUsersRequest,
    ListUsersResponse,
    User,
)
from recsys.v1.user_service_pb2_grpc import UserServiceServicer


class UserServicer(UserServiceServicer):
    """Answers from the current version."""

    def __init__(self, watcher: Watcher[Retriever], *, live: LiveState, max_count: int) -> None:
        self._watcher = watcher
        self._live = live
        self._max_count = max_count

    def GetHistory(self, request: GetHistoryRequest, context: grpc.ServicerContext) -> GetHistoryResponse:  # noqa: N802
        check_given("user_id", request.user_id)
        check_count("count", request.count, at_most=self._max_count)
        artifact = self._watcher.current().artifact
        history = users.history(
            artifact,
            self._live,
            request.user_id,
            count=request.count,
            live_item_ids=request.live_item_ids,
            packed=request.history,
        )
        manifest = artifact.manifest
        response = GetHistoryResponse(artifact_version=manifest.version, stream_sequence=manifest.stream_sequence)
        if history is not None:
            response.user_known = True
            response.items.extend(_to_wire(item) for item in history.items)
            response.stream_sequence = history.stream_sequence
            response.total = history.total
            response.known_live_items = history.known_live_items
        return response

    def ListUsers(self, request: ListUsersRequest, context: grpc.ServicerContext) -> ListUsersResponse:  # noqa: N802
        check_count("page_size", request.page_size, at_most=self._max_count)
        artifact = self._watcher.current().artifact
        page = users.page(
            artifact,
            self._live,
            prefix=request.prefix,
            after_user_id=request.after_user_id,
            page_size=request.page_size,
        )
        return ListUsersResponse(
            artifact_version=artifact.manifest.version,
            users=[User(user_id=user.user_id, history_size=user.history_size) for user in page.users],
            has_more=page.has_more,
            stream_sequence=artifact.manifest.stream_sequence,
        )


def _to_wire(item: users.SeenItem) -> HistoryItem:
    return HistoryItem(item_id=item.item_id, event_type=item.event_type, last_event_at=Timestamp(seconds=item.unix_s))
