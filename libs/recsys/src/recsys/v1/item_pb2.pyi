from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CandidateSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CANDIDATE_SOURCE_UNSPECIFIED: _ClassVar[CandidateSource]
    CANDIDATE_SOURCE_ANN: _ClassVar[CandidateSource]
    CANDIDATE_SOURCE_POPULAR: _ClassVar[CandidateSource]
    CANDIDATE_SOURCE_SIMILAR: _ClassVar[CandidateSource]
    CANDIDATE_SOURCE_SESSION: _ClassVar[CandidateSource]
    CANDIDATE_SOURCE_TRENDING: _ClassVar[CandidateSource]
    CANDIDATE_SOURCE_NEW: _ClassVar[CandidateSource]
    CANDIDATE_SOURCE_RULE: _ClassVar[CandidateSource]
    CANDIDATE_SOURCE_TRANSITIONS: _ClassVar[CandidateSource]
    CANDIDATE_SOURCE_CONTENT: _ClassVar[CandidateSource]
    CANDIDATE_SOURCE_BOUGHT_TOGETHER: _ClassVar[CandidateSource]
CANDIDATE_SOURCE_UNSPECIFIED: CandidateSource
CANDIDATE_SOURCE_ANN: CandidateSource
CANDIDATE_SOURCE_POPULAR: CandidateSource
CANDIDATE_SOURCE_SIMILAR: CandidateSource
CANDIDATE_SOURCE_SESSION: CandidateSource
CANDIDATE_SOURCE_TRENDING: CandidateSource
CANDIDATE_SOURCE_NEW: CandidateSource
CANDIDATE_SOURCE_RULE: CandidateSource
CANDIDATE_SOURCE_TRANSITIONS: CandidateSource
CANDIDATE_SOURCE_CONTENT: CandidateSource
CANDIDATE_SOURCE_BOUGHT_TOGETHER: CandidateSource

class Item(_message.Message):
    __slots__ = ("item_id", "title", "category", "price", "image_url", "available", "attributes")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    IMAGE_URL_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    title: str
    category: str
    price: float
    image_url: str
    available: bool
    attributes: _containers.ScalarMap[str, str]
    def __init__(self, item_id: _Optional[str] = ..., title: _Optional[str] = ..., category: _Optional[str] = ..., price: _Optional[float] = ..., image_url: _Optional[str] = ..., available: _Optional[bool] = ..., attributes: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Filter(_message.Message):
    __slots__ = ("categories", "min_price", "max_price", "attributes", "exclude_item_ids", "exclude_categories")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    MIN_PRICE_FIELD_NUMBER: _ClassVar[int]
    MAX_PRICE_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    categories: _containers.RepeatedScalarFieldContainer[str]
    min_price: float
    max_price: float
    attributes: _containers.ScalarMap[str, str]
    exclude_item_ids: _containers.RepeatedScalarFieldContainer[str]
    exclude_categories: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, categories: _Optional[_Iterable[str]] = ..., min_price: _Optional[float] = ..., max_price: _Optional[float] = ..., attributes: _Optional[_Mapping[str, str]] = ..., exclude_item_ids: _Optional[_Iterable[str]] = ..., exclude_categories: _Optional[_Iterable[str]] = ...) -> None: ...

class CandidateSet(_message.Message):
    __slots__ = ("rows", "scores", "sources", "transitions", "history_rows", "history_times", "new_item_ids", "lists")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    TRANSITIONS_FIELD_NUMBER: _ClassVar[int]
    HISTORY_ROWS_FIELD_NUMBER: _ClassVar[int]
    HISTORY_TIMES_FIELD_NUMBER: _ClassVar[int]
    NEW_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    LISTS_FIELD_NUMBER: _ClassVar[int]
    rows: bytes
    scores: bytes
    sources: bytes
    transitions: bytes
    history_rows: bytes
    history_times: bytes
    new_item_ids: _containers.RepeatedScalarFieldContainer[str]
    lists: _containers.RepeatedCompositeFieldContainer[SourceList]
    def __init__(self, rows: _Optional[bytes] = ..., scores: _Optional[bytes] = ..., sources: _Optional[bytes] = ..., transitions: _Optional[bytes] = ..., history_rows: _Optional[bytes] = ..., history_times: _Optional[bytes] = ..., new_item_ids: _Optional[_Iterable[str]] = ..., lists: _Optional[_Iterable[_Union[SourceList, _Mapping]]] = ...) -> None: ...

class SourceList(_message.Message):
    __slots__ = ("source", "rows", "scores")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    source: CandidateSource
    rows: _containers.RepeatedScalarFieldContainer[int]
    scores: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, source: _Optional[_Union[CandidateSource, str]] = ..., rows: _Optional[_Iterable[int]] = ..., scores: _Optional[_Iterable[float]] = ...) -> None: ...

class RankedItem(_message.Message):
    __slots__ = ("item", "score", "sources", "propensity", "explanation")
    ITEM_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    PROPENSITY_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    item: Item
    score: float
    sources: _containers.RepeatedScalarFieldContainer[CandidateSource]
    propensity: float
    explanation: Explanation
    def __init__(self, item: _Optional[_Union[Item, _Mapping]] = ..., score: _Optional[float] = ..., sources: _Optional[_Iterable[_Union[CandidateSource, str]]] = ..., propensity: _Optional[float] = ..., explanation: _Optional[_Union[Explanation, _Mapping]] = ...) -> None: ...

class Explanation(_message.Message):
    __slots__ = ("personal_score", "terms", "sources", "rank_by_score", "contributions", "rules", "comes_after")
    PERSONAL_SCORE_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    RANK_BY_SCORE_FIELD_NUMBER: _ClassVar[int]
    CONTRIBUTIONS_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    COMES_AFTER_FIELD_NUMBER: _ClassVar[int]
    personal_score: float
    terms: _containers.RepeatedCompositeFieldContainer[BlendTerm]
    sources: _containers.RepeatedCompositeFieldContainer[SourceRank]
    rank_by_score: int
    contributions: _containers.RepeatedCompositeFieldContainer[Contribution]
    rules: _containers.RepeatedScalarFieldContainer[str]
    comes_after: _containers.RepeatedCompositeFieldContainer[Contribution]
    def __init__(self, personal_score: _Optional[float] = ..., terms: _Optional[_Iterable[_Union[BlendTerm, _Mapping]]] = ..., sources: _Optional[_Iterable[_Union[SourceRank, _Mapping]]] = ..., rank_by_score: _Optional[int] = ..., contributions: _Optional[_Iterable[_Union[Contribution, _Mapping]]] = ..., rules: _Optional[_Iterable[str]] = ..., comes_after: _Optional[_Iterable[_Union[Contribution, _Mapping]]] = ...) -> None: ...

class BlendTerm(_message.Message):
    __slots__ = ("name", "value", "weight")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: float
    weight: float
    def __init__(self, name: _Optional[str] = ..., value: _Optional[float] = ..., weight: _Optional[float] = ...) -> None: ...

class SourceRank(_message.Message):
    __slots__ = ("source", "rank", "score")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    source: CandidateSource
    rank: int
    score: float
    def __init__(self, source: _Optional[_Union[CandidateSource, str]] = ..., rank: _Optional[int] = ..., score: _Optional[float] = ...) -> None: ...

class Contribution(_message.Message):
    __slots__ = ("item_id", "value")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    value: float
    def __init__(self, item_id: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
