import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetHistoryRequest(_message.Message):
    __slots__ = ("user_id", "count", "live_item_ids", "history")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    LIVE_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    count: int
    live_item_ids: _containers.RepeatedScalarFieldContainer[str]
    history: str
    def __init__(self, user_id: _Optional[str] = ..., count: _Optional[int] = ..., live_item_ids: _Optional[_Iterable[str]] = ..., history: _Optional[str] = ...) -> None: ...

class HistoryItem(_message.Message):
    __slots__ = ("item_id", "event_type", "last_event_at")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    LAST_EVENT_AT_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    event_type: str
    last_event_at: _timestamp_pb2.Timestamp
    def __init__(self, item_id: _Optional[str] = ..., event_type: _Optional[str] = ..., last_event_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetHistoryResponse(_message.Message):
    __slots__ = ("artifact_version", "items", "user_known", "total", "known_live_items", "stream_sequence")
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    USER_KNOWN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    KNOWN_LIVE_ITEMS_FIELD_NUMBER: _ClassVar[int]
    STREAM_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    artifact_version: str
    items: _containers.RepeatedCompositeFieldContainer[HistoryItem]
    user_known: bool
    total: int
    known_live_items: int
    stream_sequence: int
    def __init__(self, artifact_version: _Optional[str] = ..., items: _Optional[_Iterable[_Union[HistoryItem, _Mapping]]] = ..., user_known: _Optional[bool] = ..., total: _Optional[int] = ..., known_live_items: _Optional[int] = ..., stream_sequence: _Optional[int] = ...) -> None: ...

class ListUsersRequest(_message.Message):
    __slots__ = ("prefix", "after_user_id", "page_size")
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    AFTER_USER_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    prefix: str
    after_user_id: str
    page_size: int
    def __init__(self, prefix: _Optional[str] = ..., after_user_id: _Optional[str] = ..., page_size: _Optional[int] = ...) -> None: ...

class User(_message.Message):
    __slots__ = ("user_id", "history_size")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    HISTORY_SIZE_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    history_size: int
    def __init__(self, user_id: _Optional[str] = ..., history_size: _Optional[int] = ...) -> None: ...

class ListUsersResponse(_message.Message):
    __slots__ = ("artifact_version", "users", "has_more", "stream_sequence")
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    USERS_FIELD_NUMBER: _ClassVar[int]
    HAS_MORE_FIELD_NUMBER: _ClassVar[int]
    STREAM_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    artifact_version: str
    users: _containers.RepeatedCompositeFieldContainer[User]
    has_more: bool
    stream_sequence: int
    def __init__(self, artifact_version: _Optional[str] = ..., users: _Optional[_Iterable[_Union[User, _Mapping]]] = ..., has_more: _Optional[bool] = ..., stream_sequence: _Optional[int] = ...) -> None: ...
