import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from recsys.v1 import item_pb2 as _item_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RecommendRequest(_message.Message):
    __slots__ = ("user_id", "session_id", "item_ids", "count", "filter", "exclude_seen", "exclude_seen_types", "blend", "diversity", "rules", "explain", "preview", "paginate", "cursor")
    class Blend(_message.Message):
        __slots__ = ("personal", "popularity", "recency", "transitions")
        PERSONAL_FIELD_NUMBER: _ClassVar[int]
        POPULARITY_FIELD_NUMBER: _ClassVar[int]
        RECENCY_FIELD_NUMBER: _ClassVar[int]
        TRANSITIONS_FIELD_NUMBER: _ClassVar[int]
        personal: float
        popularity: float
        recency: float
        transitions: float
        def __init__(self, personal: _Optional[float] = ..., popularity: _Optional[float] = ..., recency: _Optional[float] = ..., transitions: _Optional[float] = ...) -> None: ...
    class Diversity(_message.Message):
        __slots__ = ("mmr_lambda", "max_per_category")
        MMR_LAMBDA_FIELD_NUMBER: _ClassVar[int]
        MAX_PER_CATEGORY_FIELD_NUMBER: _ClassVar[int]
        mmr_lambda: float
        max_per_category: int
        def __init__(self, mmr_lambda: _Optional[float] = ..., max_per_category: _Optional[int] = ...) -> None: ...
    class Rule(_message.Message):
        __slots__ = ("name", "category", "item_id", "boost", "pin_position")
        NAME_FIELD_NUMBER: _ClassVar[int]
        CATEGORY_FIELD_NUMBER: _ClassVar[int]
        ITEM_ID_FIELD_NUMBER: _ClassVar[int]
        BOOST_FIELD_NUMBER: _ClassVar[int]
        PIN_POSITION_FIELD_NUMBER: _ClassVar[int]
        name: str
        category: str
        item_id: str
        boost: float
        pin_position: int
        def __init__(self, name: _Optional[str] = ..., category: _Optional[str] = ..., item_id: _Optional[str] = ..., boost: _Optional[float] = ..., pin_position: _Optional[int] = ...) -> None: ...
    class EventTypes(_message.Message):
        __slots__ = ("types",)
        TYPES_FIELD_NUMBER: _ClassVar[int]
        types: _containers.RepeatedScalarFieldContainer[str]
        def __init__(self, types: _Optional[_Iterable[str]] = ...) -> None: ...
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_SEEN_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_SEEN_TYPES_FIELD_NUMBER: _ClassVar[int]
    BLEND_FIELD_NUMBER: _ClassVar[int]
    DIVERSITY_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_FIELD_NUMBER: _ClassVar[int]
    PAGINATE_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    session_id: str
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    count: int
    filter: _item_pb2.Filter
    exclude_seen: bool
    exclude_seen_types: RecommendRequest.EventTypes
    blend: RecommendRequest.Blend
    diversity: RecommendRequest.Diversity
    rules: _containers.RepeatedCompositeFieldContainer[RecommendRequest.Rule]
    explain: bool
    preview: bool
    paginate: bool
    cursor: str
    def __init__(self, user_id: _Optional[str] = ..., session_id: _Optional[str] = ..., item_ids: _Optional[_Iterable[str]] = ..., count: _Optional[int] = ..., filter: _Optional[_Union[_item_pb2.Filter, _Mapping]] = ..., exclude_seen: _Optional[bool] = ..., exclude_seen_types: _Optional[_Union[RecommendRequest.EventTypes, _Mapping]] = ..., blend: _Optional[_Union[RecommendRequest.Blend, _Mapping]] = ..., diversity: _Optional[_Union[RecommendRequest.Diversity, _Mapping]] = ..., rules: _Optional[_Iterable[_Union[RecommendRequest.Rule, _Mapping]]] = ..., explain: _Optional[bool] = ..., preview: _Optional[bool] = ..., paginate: _Optional[bool] = ..., cursor: _Optional[str] = ...) -> None: ...

class RecommendResponse(_message.Message):
    __slots__ = ("list_id", "request_id", "artifact_version", "subject", "vector", "user_known", "items", "fill", "dropped", "experiment", "next_cursor", "preview", "level", "degraded")
    class Subject(_message.Message):
        __slots__ = ("user_id", "session_id")
        USER_ID_FIELD_NUMBER: _ClassVar[int]
        SESSION_ID_FIELD_NUMBER: _ClassVar[int]
        user_id: str
        session_id: str
        def __init__(self, user_id: _Optional[str] = ..., session_id: _Optional[str] = ...) -> None: ...
    class Fill(_message.Message):
        __slots__ = ("asked", "returned", "matching")
        ASKED_FIELD_NUMBER: _ClassVar[int]
        RETURNED_FIELD_NUMBER: _ClassVar[int]
        MATCHING_FIELD_NUMBER: _ClassVar[int]
        asked: int
        returned: int
        matching: int
        def __init__(self, asked: _Optional[int] = ..., returned: _Optional[int] = ..., matching: _Optional[int] = ...) -> None: ...
    class Experiment(_message.Message):
        __slots__ = ("name", "arm", "version_not_held")
        NAME_FIELD_NUMBER: _ClassVar[int]
        ARM_FIELD_NUMBER: _ClassVar[int]
        VERSION_NOT_HELD_FIELD_NUMBER: _ClassVar[int]
        name: str
        arm: str
        version_not_held: str
        def __init__(self, name: _Optional[str] = ..., arm: _Optional[str] = ..., version_not_held: _Optional[str] = ...) -> None: ...
    class DroppedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    LIST_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    VECTOR_FIELD_NUMBER: _ClassVar[int]
    USER_KNOWN_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    FILL_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    NEXT_CURSOR_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    list_id: str
    request_id: str
    artifact_version: str
    subject: RecommendResponse.Subject
    vector: str
    user_known: bool
    items: _containers.RepeatedCompositeFieldContainer[ListedItem]
    fill: RecommendResponse.Fill
    dropped: _containers.ScalarMap[str, int]
    experiment: RecommendResponse.Experiment
    next_cursor: str
    preview: bool
    level: str
    degraded: bool
    def __init__(self, list_id: _Optional[str] = ..., request_id: _Optional[str] = ..., artifact_version: _Optional[str] = ..., subject: _Optional[_Union[RecommendResponse.Subject, _Mapping]] = ..., vector: _Optional[str] = ..., user_known: _Optional[bool] = ..., items: _Optional[_Iterable[_Union[ListedItem, _Mapping]]] = ..., fill: _Optional[_Union[RecommendResponse.Fill, _Mapping]] = ..., dropped: _Optional[_Mapping[str, int]] = ..., experiment: _Optional[_Union[RecommendResponse.Experiment, _Mapping]] = ..., next_cursor: _Optional[str] = ..., preview: _Optional[bool] = ..., level: _Optional[str] = ..., degraded: _Optional[bool] = ...) -> None: ...

class ListedItem(_message.Message):
    __slots__ = ("item_id", "title", "category", "price", "image_url", "available", "attributes", "score", "sources", "propensity", "explanation")
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
    SCORE_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    PROPENSITY_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    title: str
    category: str
    price: float
    image_url: str
    available: bool
    attributes: _containers.ScalarMap[str, str]
    score: float
    sources: _containers.RepeatedScalarFieldContainer[str]
    propensity: float
    explanation: PlaceExplanation
    def __init__(self, item_id: _Optional[str] = ..., title: _Optional[str] = ..., category: _Optional[str] = ..., price: _Optional[float] = ..., image_url: _Optional[str] = ..., available: _Optional[bool] = ..., attributes: _Optional[_Mapping[str, str]] = ..., score: _Optional[float] = ..., sources: _Optional[_Iterable[str]] = ..., propensity: _Optional[float] = ..., explanation: _Optional[_Union[PlaceExplanation, _Mapping]] = ...) -> None: ...

class PlaceExplanation(_message.Message):
    __slots__ = ("personal_score", "terms", "sources", "rank_by_score", "contributions", "rules", "comes_after")
    class SourceRank(_message.Message):
        __slots__ = ("source", "rank", "score")
        SOURCE_FIELD_NUMBER: _ClassVar[int]
        RANK_FIELD_NUMBER: _ClassVar[int]
        SCORE_FIELD_NUMBER: _ClassVar[int]
        source: str
        rank: int
        score: float
        def __init__(self, source: _Optional[str] = ..., rank: _Optional[int] = ..., score: _Optional[float] = ...) -> None: ...
    PERSONAL_SCORE_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    RANK_BY_SCORE_FIELD_NUMBER: _ClassVar[int]
    CONTRIBUTIONS_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    COMES_AFTER_FIELD_NUMBER: _ClassVar[int]
    personal_score: float
    terms: _containers.RepeatedCompositeFieldContainer[_item_pb2.BlendTerm]
    sources: _containers.RepeatedCompositeFieldContainer[PlaceExplanation.SourceRank]
    rank_by_score: int
    contributions: _containers.RepeatedCompositeFieldContainer[_item_pb2.Contribution]
    rules: _containers.RepeatedScalarFieldContainer[str]
    comes_after: _containers.RepeatedCompositeFieldContainer[_item_pb2.Contribution]
    def __init__(self, personal_score: _Optional[float] = ..., terms: _Optional[_Iterable[_Union[_item_pb2.BlendTerm, _Mapping]]] = ..., sources: _Optional[_Iterable[_Union[PlaceExplanation.SourceRank, _Mapping]]] = ..., rank_by_score: _Optional[int] = ..., contributions: _Optional[_Iterable[_Union[_item_pb2.Contribution, _Mapping]]] = ..., rules: _Optional[_Iterable[str]] = ..., comes_after: _Optional[_Iterable[_Union[_item_pb2.Contribution, _Mapping]]] = ...) -> None: ...

class ListSimilarItemsRequest(_message.Message):
    __slots__ = ("item_id", "count", "categories")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    count: int
    categories: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, item_id: _Optional[str] = ..., count: _Optional[int] = ..., categories: _Optional[_Iterable[str]] = ...) -> None: ...

class ListBoughtTogetherRequest(_message.Message):
    __slots__ = ("item_id", "count", "categories")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    count: int
    categories: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, item_id: _Optional[str] = ..., count: _Optional[int] = ..., categories: _Optional[_Iterable[str]] = ...) -> None: ...

class ListPopularItemsRequest(_message.Message):
    __slots__ = ("count", "categories")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    count: int
    categories: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, count: _Optional[int] = ..., categories: _Optional[_Iterable[str]] = ...) -> None: ...

class ListTrendingItemsRequest(_message.Message):
    __slots__ = ("count", "categories")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    count: int
    categories: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, count: _Optional[int] = ..., categories: _Optional[_Iterable[str]] = ...) -> None: ...

class RecommendListsRequest(_message.Message):
    __slots__ = ("user_id", "session_id", "lists", "preview")
    class WantedList(_message.Message):
        __slots__ = ("name", "kind", "item_id", "item_ids", "count", "filter")
        NAME_FIELD_NUMBER: _ClassVar[int]
        KIND_FIELD_NUMBER: _ClassVar[int]
        ITEM_ID_FIELD_NUMBER: _ClassVar[int]
        ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
        COUNT_FIELD_NUMBER: _ClassVar[int]
        FILTER_FIELD_NUMBER: _ClassVar[int]
        name: str
        kind: str
        item_id: str
        item_ids: _containers.RepeatedScalarFieldContainer[str]
        count: int
        filter: _item_pb2.Filter
        def __init__(self, name: _Optional[str] = ..., kind: _Optional[str] = ..., item_id: _Optional[str] = ..., item_ids: _Optional[_Iterable[str]] = ..., count: _Optional[int] = ..., filter: _Optional[_Union[_item_pb2.Filter, _Mapping]] = ...) -> None: ...
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    LISTS_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    session_id: str
    lists: _containers.RepeatedCompositeFieldContainer[RecommendListsRequest.WantedList]
    preview: bool
    def __init__(self, user_id: _Optional[str] = ..., session_id: _Optional[str] = ..., lists: _Optional[_Iterable[_Union[RecommendListsRequest.WantedList, _Mapping]]] = ..., preview: _Optional[bool] = ...) -> None: ...

class RecommendListsResponse(_message.Message):
    __slots__ = ("request_id", "lists", "preview")
    class NamedList(_message.Message):
        __slots__ = ("artifact_version", "items", "level", "degraded", "name", "list_id")
        ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
        ITEMS_FIELD_NUMBER: _ClassVar[int]
        LEVEL_FIELD_NUMBER: _ClassVar[int]
        DEGRADED_FIELD_NUMBER: _ClassVar[int]
        NAME_FIELD_NUMBER: _ClassVar[int]
        LIST_ID_FIELD_NUMBER: _ClassVar[int]
        artifact_version: str
        items: _containers.RepeatedCompositeFieldContainer[ListedItem]
        level: str
        degraded: bool
        name: str
        list_id: str
        def __init__(self, artifact_version: _Optional[str] = ..., items: _Optional[_Iterable[_Union[ListedItem, _Mapping]]] = ..., level: _Optional[str] = ..., degraded: _Optional[bool] = ..., name: _Optional[str] = ..., list_id: _Optional[str] = ...) -> None: ...
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    LISTS_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    lists: _containers.RepeatedCompositeFieldContainer[RecommendListsResponse.NamedList]
    preview: bool
    def __init__(self, request_id: _Optional[str] = ..., lists: _Optional[_Iterable[_Union[RecommendListsResponse.NamedList, _Mapping]]] = ..., preview: _Optional[bool] = ...) -> None: ...

class ItemList(_message.Message):
    __slots__ = ("artifact_version", "items", "level", "degraded")
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    artifact_version: str
    items: _containers.RepeatedCompositeFieldContainer[ListedItem]
    level: str
    degraded: bool
    def __init__(self, artifact_version: _Optional[str] = ..., items: _Optional[_Iterable[_Union[ListedItem, _Mapping]]] = ..., level: _Optional[str] = ..., degraded: _Optional[bool] = ...) -> None: ...

class ShopEvent(_message.Message):
    __slots__ = ("event_id", "user_id", "session_id", "item_id", "type", "timestamp", "value", "list_id", "position", "quantity")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    LIST_ID_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    user_id: str
    session_id: str
    item_id: str
    type: str
    timestamp: _timestamp_pb2.Timestamp
    value: float
    list_id: str
    position: int
    quantity: int
    def __init__(self, event_id: _Optional[str] = ..., user_id: _Optional[str] = ..., session_id: _Optional[str] = ..., item_id: _Optional[str] = ..., type: _Optional[str] = ..., timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., value: _Optional[float] = ..., list_id: _Optional[str] = ..., position: _Optional[int] = ..., quantity: _Optional[int] = ...) -> None: ...

class PostEventsRequest(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[ShopEvent]
    def __init__(self, events: _Optional[_Iterable[_Union[ShopEvent, _Mapping]]] = ...) -> None: ...

class PostEventsResponse(_message.Message):
    __slots__ = ("accepted", "duplicates", "rejected", "unknown_items", "clock_skewed", "event_ids")
    class Rejected(_message.Message):
        __slots__ = ("index", "event_id", "reason")
        INDEX_FIELD_NUMBER: _ClassVar[int]
        EVENT_ID_FIELD_NUMBER: _ClassVar[int]
        REASON_FIELD_NUMBER: _ClassVar[int]
        index: int
        event_id: str
        reason: str
        def __init__(self, index: _Optional[int] = ..., event_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    DUPLICATES_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_ITEMS_FIELD_NUMBER: _ClassVar[int]
    CLOCK_SKEWED_FIELD_NUMBER: _ClassVar[int]
    EVENT_IDS_FIELD_NUMBER: _ClassVar[int]
    accepted: int
    duplicates: int
    rejected: _containers.RepeatedCompositeFieldContainer[PostEventsResponse.Rejected]
    unknown_items: int
    clock_skewed: int
    event_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, accepted: _Optional[int] = ..., duplicates: _Optional[int] = ..., rejected: _Optional[_Iterable[_Union[PostEventsResponse.Rejected, _Mapping]]] = ..., unknown_items: _Optional[int] = ..., clock_skewed: _Optional[int] = ..., event_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class MergeSessionRequest(_message.Message):
    __slots__ = ("user_id", "session_id")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    session_id: str
    def __init__(self, user_id: _Optional[str] = ..., session_id: _Optional[str] = ...) -> None: ...

class MergeSessionResponse(_message.Message):
    __slots__ = ("user_id", "session_id", "moved_events")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    MOVED_EVENTS_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    session_id: str
    moved_events: int
    def __init__(self, user_id: _Optional[str] = ..., session_id: _Optional[str] = ..., moved_events: _Optional[int] = ...) -> None: ...

class ListHistoryRequest(_message.Message):
    __slots__ = ("user_id", "count")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    count: int
    def __init__(self, user_id: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class ListHistoryResponse(_message.Message):
    __slots__ = ("artifact_version", "user_known", "total", "items", "degraded")
    class HadItem(_message.Message):
        __slots__ = ("item_id", "title", "category", "price", "image_url", "available", "attributes", "event_type", "last_event_at")
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
        EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
        LAST_EVENT_AT_FIELD_NUMBER: _ClassVar[int]
        item_id: str
        title: str
        category: str
        price: float
        image_url: str
        available: bool
        attributes: _containers.ScalarMap[str, str]
        event_type: str
        last_event_at: _timestamp_pb2.Timestamp
        def __init__(self, item_id: _Optional[str] = ..., title: _Optional[str] = ..., category: _Optional[str] = ..., price: _Optional[float] = ..., image_url: _Optional[str] = ..., available: _Optional[bool] = ..., attributes: _Optional[_Mapping[str, str]] = ..., event_type: _Optional[str] = ..., last_event_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    USER_KNOWN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    artifact_version: str
    user_known: bool
    total: int
    items: _containers.RepeatedCompositeFieldContainer[ListHistoryResponse.HadItem]
    degraded: bool
    def __init__(self, artifact_version: _Optional[str] = ..., user_known: _Optional[bool] = ..., total: _Optional[int] = ..., items: _Optional[_Iterable[_Union[ListHistoryResponse.HadItem, _Mapping]]] = ..., degraded: _Optional[bool] = ...) -> None: ...

class ListRecentlyViewedRequest(_message.Message):
    __slots__ = ("user_id", "session_id", "event_type", "count")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    session_id: str
    event_type: str
    count: int
    def __init__(self, user_id: _Optional[str] = ..., session_id: _Optional[str] = ..., event_type: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class ListRecentlyViewedResponse(_message.Message):
    __slots__ = ("artifact_version", "items", "degraded")
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    artifact_version: str
    items: _containers.RepeatedCompositeFieldContainer[ListHistoryResponse.HadItem]
    degraded: bool
    def __init__(self, artifact_version: _Optional[str] = ..., items: _Optional[_Iterable[_Union[ListHistoryResponse.HadItem, _Mapping]]] = ..., degraded: _Optional[bool] = ...) -> None: ...

class FindCategoriesRequest(_message.Message):
    __slots__ = ("page_size", "cursor")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    cursor: str
    def __init__(self, page_size: _Optional[int] = ..., cursor: _Optional[str] = ...) -> None: ...

class CategoryPage(_message.Message):
    __slots__ = ("artifact_version", "categories", "next_cursor")
    class Category(_message.Message):
        __slots__ = ("category", "item_count")
        CATEGORY_FIELD_NUMBER: _ClassVar[int]
        ITEM_COUNT_FIELD_NUMBER: _ClassVar[int]
        category: str
        item_count: int
        def __init__(self, category: _Optional[str] = ..., item_count: _Optional[int] = ...) -> None: ...
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_CURSOR_FIELD_NUMBER: _ClassVar[int]
    artifact_version: str
    categories: _containers.RepeatedCompositeFieldContainer[CategoryPage.Category]
    next_cursor: str
    def __init__(self, artifact_version: _Optional[str] = ..., categories: _Optional[_Iterable[_Union[CategoryPage.Category, _Mapping]]] = ..., next_cursor: _Optional[str] = ...) -> None: ...

class FindItemsRequest(_message.Message):
    __slots__ = ("query", "category", "page_size", "cursor")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    query: str
    category: str
    page_size: int
    cursor: str
    def __init__(self, query: _Optional[str] = ..., category: _Optional[str] = ..., page_size: _Optional[int] = ..., cursor: _Optional[str] = ...) -> None: ...

class LookUpItemsRequest(_message.Message):
    __slots__ = ("item_ids",)
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, item_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class ItemPage(_message.Message):
    __slots__ = ("artifact_version", "items", "next_cursor")
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    NEXT_CURSOR_FIELD_NUMBER: _ClassVar[int]
    artifact_version: str
    items: _containers.RepeatedCompositeFieldContainer[_item_pb2.Item]
    next_cursor: str
    def __init__(self, artifact_version: _Optional[str] = ..., items: _Optional[_Iterable[_Union[_item_pb2.Item, _Mapping]]] = ..., next_cursor: _Optional[str] = ...) -> None: ...

class ChangeItemsRequest(_message.Message):
    __slots__ = ("changes",)
    class Put(_message.Message):
        __slots__ = ("title", "category", "price", "image_url", "available", "attributes", "vector")
        class AttributesEntry(_message.Message):
            __slots__ = ("key", "value")
            KEY_FIELD_NUMBER: _ClassVar[int]
            VALUE_FIELD_NUMBER: _ClassVar[int]
            key: str
            value: str
            def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
        TITLE_FIELD_NUMBER: _ClassVar[int]
        CATEGORY_FIELD_NUMBER: _ClassVar[int]
        PRICE_FIELD_NUMBER: _ClassVar[int]
        IMAGE_URL_FIELD_NUMBER: _ClassVar[int]
        AVAILABLE_FIELD_NUMBER: _ClassVar[int]
        ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
        VECTOR_FIELD_NUMBER: _ClassVar[int]
        title: str
        category: str
        price: float
        image_url: str
        available: bool
        attributes: _containers.ScalarMap[str, str]
        vector: _containers.RepeatedScalarFieldContainer[float]
        def __init__(self, title: _Optional[str] = ..., category: _Optional[str] = ..., price: _Optional[float] = ..., image_url: _Optional[str] = ..., available: _Optional[bool] = ..., attributes: _Optional[_Mapping[str, str]] = ..., vector: _Optional[_Iterable[float]] = ...) -> None: ...
    class Patch(_message.Message):
        __slots__ = ("title", "category", "price", "image_url", "available", "attributes", "clear", "clear_attributes", "vector")
        class AttributesEntry(_message.Message):
            __slots__ = ("key", "value")
            KEY_FIELD_NUMBER: _ClassVar[int]
            VALUE_FIELD_NUMBER: _ClassVar[int]
            key: str
            value: str
            def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
        TITLE_FIELD_NUMBER: _ClassVar[int]
        CATEGORY_FIELD_NUMBER: _ClassVar[int]
        PRICE_FIELD_NUMBER: _ClassVar[int]
        IMAGE_URL_FIELD_NUMBER: _ClassVar[int]
        AVAILABLE_FIELD_NUMBER: _ClassVar[int]
        ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
        CLEAR_FIELD_NUMBER: _ClassVar[int]
        CLEAR_ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
        VECTOR_FIELD_NUMBER: _ClassVar[int]
        title: str
        category: str
        price: float
        image_url: str
        available: bool
        attributes: _containers.ScalarMap[str, str]
        clear: _containers.RepeatedScalarFieldContainer[str]
        clear_attributes: _containers.RepeatedScalarFieldContainer[str]
        vector: _containers.RepeatedScalarFieldContainer[float]
        def __init__(self, title: _Optional[str] = ..., category: _Optional[str] = ..., price: _Optional[float] = ..., image_url: _Optional[str] = ..., available: _Optional[bool] = ..., attributes: _Optional[_Mapping[str, str]] = ..., clear: _Optional[_Iterable[str]] = ..., clear_attributes: _Optional[_Iterable[str]] = ..., vector: _Optional[_Iterable[float]] = ...) -> None: ...
    class Delete(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    class Change(_message.Message):
        __slots__ = ("item_id", "put", "patch", "delete")
        ITEM_ID_FIELD_NUMBER: _ClassVar[int]
        PUT_FIELD_NUMBER: _ClassVar[int]
        PATCH_FIELD_NUMBER: _ClassVar[int]
        DELETE_FIELD_NUMBER: _ClassVar[int]
        item_id: str
        put: ChangeItemsRequest.Put
        patch: ChangeItemsRequest.Patch
        delete: ChangeItemsRequest.Delete
        def __init__(self, item_id: _Optional[str] = ..., put: _Optional[_Union[ChangeItemsRequest.Put, _Mapping]] = ..., patch: _Optional[_Union[ChangeItemsRequest.Patch, _Mapping]] = ..., delete: _Optional[_Union[ChangeItemsRequest.Delete, _Mapping]] = ...) -> None: ...
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[ChangeItemsRequest.Change]
    def __init__(self, changes: _Optional[_Iterable[_Union[ChangeItemsRequest.Change, _Mapping]]] = ...) -> None: ...

class ChangeItemsResponse(_message.Message):
    __slots__ = ("changed", "items")
    class Changed(_message.Message):
        __slots__ = ("item_id", "deleted", "updated_at")
        ITEM_ID_FIELD_NUMBER: _ClassVar[int]
        DELETED_FIELD_NUMBER: _ClassVar[int]
        UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
        item_id: str
        deleted: bool
        updated_at: _timestamp_pb2.Timestamp
        def __init__(self, item_id: _Optional[str] = ..., deleted: _Optional[bool] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    changed: int
    items: _containers.RepeatedCompositeFieldContainer[ChangeItemsResponse.Changed]
    def __init__(self, changed: _Optional[int] = ..., items: _Optional[_Iterable[_Union[ChangeItemsResponse.Changed, _Mapping]]] = ...) -> None: ...

class EraseUserRequest(_message.Message):
    __slots__ = ("user_id",)
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    def __init__(self, user_id: _Optional[str] = ...) -> None: ...

class GetErasureRequest(_message.Message):
    __slots__ = ("user_id",)
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    def __init__(self, user_id: _Optional[str] = ...) -> None: ...

class ErasureReport(_message.Message):
    __slots__ = ("user_hash", "erased_at", "store_entries", "lake_rows", "lake_erased_at", "model_is_newer", "artifact_version")
    USER_HASH_FIELD_NUMBER: _ClassVar[int]
    ERASED_AT_FIELD_NUMBER: _ClassVar[int]
    STORE_ENTRIES_FIELD_NUMBER: _ClassVar[int]
    LAKE_ROWS_FIELD_NUMBER: _ClassVar[int]
    LAKE_ERASED_AT_FIELD_NUMBER: _ClassVar[int]
    MODEL_IS_NEWER_FIELD_NUMBER: _ClassVar[int]
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    user_hash: str
    erased_at: _timestamp_pb2.Timestamp
    store_entries: int
    lake_rows: int
    lake_erased_at: _timestamp_pb2.Timestamp
    model_is_newer: bool
    artifact_version: str
    def __init__(self, user_hash: _Optional[str] = ..., erased_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., store_entries: _Optional[int] = ..., lake_rows: _Optional[int] = ..., lake_erased_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., model_is_newer: _Optional[bool] = ..., artifact_version: _Optional[str] = ...) -> None: ...
