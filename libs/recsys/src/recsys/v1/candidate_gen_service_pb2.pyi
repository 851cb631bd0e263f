from recsys.v1 import item_pb2 as _item_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class VectorOrigin(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VECTOR_ORIGIN_UNSPECIFIED: _ClassVar[VectorOrigin]
    VECTOR_ORIGIN_NONE: _ClassVar[VectorOrigin]
    VECTOR_ORIGIN_TRAINED: _ClassVar[VectorOrigin]
    VECTOR_ORIGIN_FOLDED_IN: _ClassVar[VectorOrigin]
VECTOR_ORIGIN_UNSPECIFIED: VectorOrigin
VECTOR_ORIGIN_NONE: VectorOrigin
VECTOR_ORIGIN_TRAINED: VectorOrigin
VECTOR_ORIGIN_FOLDED_IN: VectorOrigin

class RecentEvent(_message.Message):
    __slots__ = ("item_id", "event_type", "sequence", "unix_s")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    UNIX_S_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    event_type: str
    sequence: int
    unix_s: int
    def __init__(self, item_id: _Optional[str] = ..., event_type: _Optional[str] = ..., sequence: _Optional[int] = ..., unix_s: _Optional[int] = ...) -> None: ...

class GetCandidatesRequest(_message.Message):
    __slots__ = ("artifact_version", "count", "user_id", "events", "basket_item_ids", "filter", "include_seen", "seen_event_types", "seen_item_ids", "explain", "with_item_ids", "erased_sequence", "events_after", "history")
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    BASKET_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_SEEN_FIELD_NUMBER: _ClassVar[int]
    SEEN_EVENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    SEEN_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    WITH_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    ERASED_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVENTS_AFTER_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    artifact_version: str
    count: int
    user_id: str
    events: _containers.RepeatedCompositeFieldContainer[RecentEvent]
    basket_item_ids: _containers.RepeatedScalarFieldContainer[str]
    filter: _item_pb2.Filter
    include_seen: bool
    seen_event_types: _containers.RepeatedScalarFieldContainer[str]
    seen_item_ids: _containers.RepeatedScalarFieldContainer[str]
    explain: bool
    with_item_ids: bool
    erased_sequence: int
    events_after: int
    history: str
    def __init__(self, artifact_version: _Optional[str] = ..., count: _Optional[int] = ..., user_id: _Optional[str] = ..., events: _Optional[_Iterable[_Union[RecentEvent, _Mapping]]] = ..., basket_item_ids: _Optional[_Iterable[str]] = ..., filter: _Optional[_Union[_item_pb2.Filter, _Mapping]] = ..., include_seen: _Optional[bool] = ..., seen_event_types: _Optional[_Iterable[str]] = ..., seen_item_ids: _Optional[_Iterable[str]] = ..., explain: _Optional[bool] = ..., with_item_ids: _Optional[bool] = ..., erased_sequence: _Optional[int] = ..., events_after: _Optional[int] = ..., history: _Optional[str] = ...) -> None: ...

class GetCandidatesResponse(_message.Message):
    __slots__ = ("artifact_version", "candidates", "vector_origin", "query_vector", "matching_items", "dropped", "history", "item_ids", "stream_sequence")
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    VECTOR_ORIGIN_FIELD_NUMBER: _ClassVar[int]
    QUERY_VECTOR_FIELD_NUMBER: _ClassVar[int]
    MATCHING_ITEMS_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    STREAM_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    artifact_version: str
    candidates: _item_pb2.CandidateSet
    vector_origin: VectorOrigin
    query_vector: bytes
    matching_items: int
    dropped: _containers.RepeatedCompositeFieldContainer[DroppedItems]
    history: HistoryVectors
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    stream_sequence: int
    def __init__(self, artifact_version: _Optional[str] = ..., candidates: _Optional[_Union[_item_pb2.CandidateSet, _Mapping]] = ..., vector_origin: _Optional[_Union[VectorOrigin, str]] = ..., query_vector: _Optional[bytes] = ..., matching_items: _Optional[int] = ..., dropped: _Optional[_Iterable[_Union[DroppedItems, _Mapping]]] = ..., history: _Optional[_Union[HistoryVectors, _Mapping]] = ..., item_ids: _Optional[_Iterable[str]] = ..., stream_sequence: _Optional[int] = ...) -> None: ...

class DroppedItems(_message.Message):
    __slots__ = ("reason", "count")
    REASON_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    reason: str
    count: int
    def __init__(self, reason: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class HistoryVectors(_message.Message):
    __slots__ = ("item_ids", "vectors", "transition_factors")
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    TRANSITION_FACTORS_FIELD_NUMBER: _ClassVar[int]
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    vectors: bytes
    transition_factors: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, item_ids: _Optional[_Iterable[str]] = ..., vectors: _Optional[bytes] = ..., transition_factors: _Optional[_Iterable[float]] = ...) -> None: ...

class GetSimilarItemsRequest(_message.Message):
    __slots__ = ("item_id", "count", "artifact_version", "filter", "with_item_ids", "bought_together")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    WITH_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    BOUGHT_TOGETHER_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    count: int
    artifact_version: str
    filter: _item_pb2.Filter
    with_item_ids: bool
    bought_together: bool
    def __init__(self, item_id: _Optional[str] = ..., count: _Optional[int] = ..., artifact_version: _Optional[str] = ..., filter: _Optional[_Union[_item_pb2.Filter, _Mapping]] = ..., with_item_ids: _Optional[bool] = ..., bought_together: _Optional[bool] = ...) -> None: ...

class GetSimilarItemsResponse(_message.Message):
    __slots__ = ("artifact_version", "candidates", "item_ids")
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    artifact_version: str
    candidates: _item_pb2.CandidateSet
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, artifact_version: _Optional[str] = ..., candidates: _Optional[_Union[_item_pb2.CandidateSet, _Mapping]] = ..., item_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class GetPopularItemsRequest(_message.Message):
    __slots__ = ("count", "artifact_version", "filter", "with_item_ids", "trending")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    WITH_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    TRENDING_FIELD_NUMBER: _ClassVar[int]
    count: int
    artifact_version: str
    filter: _item_pb2.Filter
    with_item_ids: bool
    trending: bool
    def __init__(self, count: _Optional[int] = ..., artifact_version: _Optional[str] = ..., filter: _Optional[_Union[_item_pb2.Filter, _Mapping]] = ..., with_item_ids: _Optional[bool] = ..., trending: _Optional[bool] = ...) -> None: ...

class GetPopularItemsResponse(_message.Message):
    __slots__ = ("artifact_version", "candidates", "item_ids")
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    artifact_version: str
    candidates: _item_pb2.CandidateSet
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, artifact_version: _Optional[str] = ..., candidates: _Optional[_Union[_item_pb2.CandidateSet, _Mapping]] = ..., item_ids: _Optional[_Iterable[str]] = ...) -> None: ...
