from recsys.v1 import item_pb2 as _item_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RerankRequest(_message.Message):
    __slots__ = ("artifact_version", "user_id", "item_id", "candidates", "count")
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    artifact_version: str
    user_id: str
    item_id: str
    candidates: _containers.RepeatedCompositeFieldContainer[_item_pb2.Candidate]
    count: int
    def __init__(self, artifact_version: _Optional[str] = ..., user_id: _Optional[str] = ..., item_id: _Optional[str] = ..., candidates: _Optional[_Iterable[_Union[_item_pb2.Candidate, _Mapping]]] = ..., count: _Optional[int] = ...) -> None: ...

class RerankResponse(_message.Message):
    __slots__ = ("artifact_version", "items")
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    artifact_version: str
    items: _containers.RepeatedCompositeFieldContainer[_item_pb2.RankedItem]
    def __init__(self, artifact_version: _Optional[str] = ..., items: _Optional[_Iterable[_Union[_item_pb2.RankedItem, _Mapping]]] = ...) -> None: ...
