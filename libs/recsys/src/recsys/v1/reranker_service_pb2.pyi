from recsys.v1 import candidate_gen_service_pb2 as _candidate_gen_service_pb2
from recsys.v1 import item_pb2 as _item_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RerankRequest(_message.Message):
    __slots__ = ("artifact_version", "query_vector", "item_id", "candidates", "count", "blend", "diversity", "rules", "exploration", "explain", "history", "with_remainder", "filter")
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    QUERY_VECTOR_FIELD_NUMBER: _ClassVar[int]
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    BLEND_FIELD_NUMBER: _ClassVar[int]
    DIVERSITY_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    EXPLORATION_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    WITH_REMAINDER_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    artifact_version: str
    query_vector: bytes
    item_id: str
    candidates: _item_pb2.CandidateSet
    count: int
    blend: BlendWeights
    diversity: Diversity
    rules: _containers.RepeatedCompositeFieldContainer[Rule]
    exploration: Exploration
    explain: bool
    history: _candidate_gen_service_pb2.HistoryVectors
    with_remainder: bool
    filter: _item_pb2.Filter
    def __init__(self, artifact_version: _Optional[str] = ..., query_vector: _Optional[bytes] = ..., item_id: _Optional[str] = ..., candidates: _Optional[_Union[_item_pb2.CandidateSet, _Mapping]] = ..., count: _Optional[int] = ..., blend: _Optional[_Union[BlendWeights, _Mapping]] = ..., diversity: _Optional[_Union[Diversity, _Mapping]] = ..., rules: _Optional[_Iterable[_Union[Rule, _Mapping]]] = ..., exploration: _Optional[_Union[Exploration, _Mapping]] = ..., explain: _Optional[bool] = ..., history: _Optional[_Union[_candidate_gen_service_pb2.HistoryVectors, _Mapping]] = ..., with_remainder: _Optional[bool] = ..., filter: _Optional[_Union[_item_pb2.Filter, _Mapping]] = ...) -> None: ...

class BlendWeights(_message.Message):
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

class Exploration(_message.Message):
    __slots__ = ("share", "seed")
    SHARE_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    share: float
    seed: int
    def __init__(self, share: _Optional[float] = ..., seed: _Optional[int] = ...) -> None: ...

class RerankResponse(_message.Message):
    __slots__ = ("artifact_version", "items", "remainder", "candidates_read")
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    REMAINDER_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_READ_FIELD_NUMBER: _ClassVar[int]
    artifact_version: str
    items: _containers.RepeatedCompositeFieldContainer[_item_pb2.RankedItem]
    remainder: Remainder
    candidates_read: int
    def __init__(self, artifact_version: _Optional[str] = ..., items: _Optional[_Iterable[_Union[_item_pb2.RankedItem, _Mapping]]] = ..., remainder: _Optional[_Union[Remainder, _Mapping]] = ..., candidates_read: _Optional[int] = ...) -> None: ...

class Remainder(_message.Message):
    __slots__ = ("item_ids", "scores", "sources", "propensities")
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    PROPENSITIES_FIELD_NUMBER: _ClassVar[int]
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    scores: _containers.RepeatedScalarFieldContainer[float]
    sources: _containers.RepeatedScalarFieldContainer[int]
    propensities: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, item_ids: _Optional[_Iterable[str]] = ..., scores: _Optional[_Iterable[float]] = ..., sources: _Optional[_Iterable[int]] = ..., propensities: _Optional[_Iterable[float]] = ...) -> None: ...
