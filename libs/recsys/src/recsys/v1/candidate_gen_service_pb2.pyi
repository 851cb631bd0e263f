from recsys.v1 import item_pb2 as _item_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetCandidatesRequest(_message.Message):
    __slots__ = ("user_id", "count", "include_seen", "artifact_version")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_SEEN_FIELD_NUMBER: _ClassVar[int]
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    count: int
    include_seen: bool
    artifact_version: str
    def __init__(self, user_id: _Optional[str] = ..., count: _Optional[int] = ..., include_seen: _Optional[bool] = ..., artifact_version: _Optional[str] = ...) -> None: ...

class GetCandidatesResponse(_message.Message):
    __slots__ = ("artifact_version", "candidates", "user_known")
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    USER_KNOWN_FIELD_NUMBER: _ClassVar[int]
    artifact_version: str
    candidates: _containers.RepeatedCompositeFieldContainer[_item_pb2.Candidate]
    user_known: bool
    def __init__(self, artifact_version: _Optional[str] = ..., candidates: _Optional[_Iterable[_Union[_item_pb2.Candidate, _Mapping]]] = ..., user_known: _Optional[bool] = ...) -> None: ...

class GetSimilarItemsRequest(_message.Message):
    __slots__ = ("item_id", "count", "artifact_version")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    count: int
    artifact_version: str
    def __init__(self, item_id: _Optional[str] = ..., count: _Optional[int] = ..., artifact_version: _Optional[str] = ...) -> None: ...

class GetSimilarItemsResponse(_message.Message):
    __slots__ = ("artifact_version", "candidates")
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    artifact_version: str
    candidates: _containers.RepeatedCompositeFieldContainer[_item_pb2.Candidate]
    def __init__(self, artifact_version: _Optional[str] = ..., candidates: _Optional[_Iterable[_Union[_item_pb2.Candidate, _Mapping]]] = ...) -> None: ...

class GetPopularItemsRequest(_message.Message):
    __slots__ = ("count", "artifact_version")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    count: int
    artifact_version: str
    def __init__(self, count: _Optional[int] = ..., artifact_version: _Optional[str] = ...) -> None: ...

class GetPopularItemsResponse(_message.Message):
    __slots__ = ("artifact_version", "candidates")
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    artifact_version: str
    candidates: _containers.RepeatedCompositeFieldContainer[_item_pb2.Candidate]
    def __init__(self, artifact_version: _Optional[str] = ..., candidates: _Optional[_Iterable[_Union[_item_pb2.Candidate, _Mapping]]] = ...) -> None: ...
