from recsys.v1 import item_pb2 as _item_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetItemsRequest(_message.Message):
    __slots__ = ("item_ids",)
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, item_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class GetItemsResponse(_message.Message):
    __slots__ = ("artifact_version", "items")
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    artifact_version: str
    items: _containers.RepeatedCompositeFieldContainer[_item_pb2.Item]
    def __init__(self, artifact_version: _Optional[str] = ..., items: _Optional[_Iterable[_Union[_item_pb2.Item, _Mapping]]] = ...) -> None: ...

class FindUnknownItemsRequest(_message.Message):
    __slots__ = ("item_ids",)
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, item_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class FindUnknownItemsResponse(_message.Message):
    __slots__ = ("artifact_version", "item_ids")
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    artifact_version: str
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, artifact_version: _Optional[str] = ..., item_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class SearchItemsRequest(_message.Message):
    __slots__ = ("query", "category", "after_item_id", "page_size")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    AFTER_ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    query: str
    category: str
    after_item_id: str
    page_size: int
    def __init__(self, query: _Optional[str] = ..., category: _Optional[str] = ..., after_item_id: _Optional[str] = ..., page_size: _Optional[int] = ...) -> None: ...

class SearchItemsResponse(_message.Message):
    __slots__ = ("artifact_version", "items", "has_more")
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    HAS_MORE_FIELD_NUMBER: _ClassVar[int]
    artifact_version: str
    items: _containers.RepeatedCompositeFieldContainer[_item_pb2.Item]
    has_more: bool
    def __init__(self, artifact_version: _Optional[str] = ..., items: _Optional[_Iterable[_Union[_item_pb2.Item, _Mapping]]] = ..., has_more: _Optional[bool] = ...) -> None: ...

class ListCategoriesRequest(_message.Message):
    __slots__ = ("after_category", "page_size")
    AFTER_CATEGORY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    after_category: str
    page_size: int
    def __init__(self, after_category: _Optional[str] = ..., page_size: _Optional[int] = ...) -> None: ...

class ListCategoriesResponse(_message.Message):
    __slots__ = ("artifact_version", "categories", "has_more")
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    HAS_MORE_FIELD_NUMBER: _ClassVar[int]
    artifact_version: str
    categories: _containers.RepeatedCompositeFieldContainer[Category]
    has_more: bool
    def __init__(self, artifact_version: _Optional[str] = ..., categories: _Optional[_Iterable[_Union[Category, _Mapping]]] = ..., has_more: _Optional[bool] = ...) -> None: ...

class Category(_message.Message):
    __slots__ = ("category", "item_count")
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    ITEM_COUNT_FIELD_NUMBER: _ClassVar[int]
    category: str
    item_count: int
    def __init__(self, category: _Optional[str] = ..., item_count: _Optional[int] = ...) -> None: ...
