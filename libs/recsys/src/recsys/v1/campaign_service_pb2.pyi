from recsys.v1 import item_pb2 as _item_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetTopItemsRequest(_message.Message):
    __slots__ = ("settings", "user_ids")
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    USER_IDS_FIELD_NUMBER: _ClassVar[int]
    settings: TopItemsSettings
    user_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, settings: _Optional[_Union[TopItemsSettings, _Mapping]] = ..., user_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class TopItemsSettings(_message.Message):
    __slots__ = ("count", "artifact_version", "filter", "include_seen", "seen_event_types", "candidates")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_SEEN_FIELD_NUMBER: _ClassVar[int]
    SEEN_EVENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    count: int
    artifact_version: str
    filter: _item_pb2.Filter
    include_seen: bool
    seen_event_types: _containers.RepeatedScalarFieldContainer[str]
    candidates: int
    def __init__(self, count: _Optional[int] = ..., artifact_version: _Optional[str] = ..., filter: _Optional[_Union[_item_pb2.Filter, _Mapping]] = ..., include_seen: _Optional[bool] = ..., seen_event_types: _Optional[_Iterable[str]] = ..., candidates: _Optional[int] = ...) -> None: ...

class GetTopItemsResponse(_message.Message):
    __slots__ = ("artifact_version", "item_ids", "lengths", "items", "scores", "without_vector")
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    LENGTHS_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    WITHOUT_VECTOR_FIELD_NUMBER: _ClassVar[int]
    artifact_version: str
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    lengths: _containers.RepeatedScalarFieldContainer[int]
    items: bytes
    scores: bytes
    without_vector: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, artifact_version: _Optional[str] = ..., item_ids: _Optional[_Iterable[str]] = ..., lengths: _Optional[_Iterable[int]] = ..., items: _Optional[bytes] = ..., scores: _Optional[bytes] = ..., without_vector: _Optional[_Iterable[int]] = ...) -> None: ...
