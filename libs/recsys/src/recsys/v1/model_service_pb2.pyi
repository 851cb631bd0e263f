from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetModelRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Metric(_message.Message):
    __slots__ = ("name", "value", "low", "high")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: float
    low: float
    high: float
    def __init__(self, name: _Optional[str] = ..., value: _Optional[float] = ..., low: _Optional[float] = ..., high: _Optional[float] = ...) -> None: ...

class TrainingRun(_message.Message):
    __slots__ = ("artifact_version", "passed", "reasons", "users_judged")
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    PASSED_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    USERS_JUDGED_FIELD_NUMBER: _ClassVar[int]
    artifact_version: str
    passed: bool
    reasons: _containers.RepeatedScalarFieldContainer[str]
    users_judged: int
    def __init__(self, artifact_version: _Optional[str] = ..., passed: _Optional[bool] = ..., reasons: _Optional[_Iterable[str]] = ..., users_judged: _Optional[int] = ...) -> None: ...

class GetModelResponse(_message.Message):
    __slots__ = ("artifact_version", "model", "dim", "user_count", "item_count", "trained_at", "metrics", "held_versions", "refused", "stream_sequence", "last_run")
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    DIM_FIELD_NUMBER: _ClassVar[int]
    USER_COUNT_FIELD_NUMBER: _ClassVar[int]
    ITEM_COUNT_FIELD_NUMBER: _ClassVar[int]
    TRAINED_AT_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    HELD_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    STREAM_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    LAST_RUN_FIELD_NUMBER: _ClassVar[int]
    artifact_version: str
    model: str
    dim: int
    user_count: int
    item_count: int
    trained_at: str
    metrics: _containers.RepeatedCompositeFieldContainer[Metric]
    held_versions: _containers.RepeatedScalarFieldContainer[str]
    refused: str
    stream_sequence: int
    last_run: TrainingRun
    def __init__(self, artifact_version: _Optional[str] = ..., model: _Optional[str] = ..., dim: _Optional[int] = ..., user_count: _Optional[int] = ..., item_count: _Optional[int] = ..., trained_at: _Optional[str] = ..., metrics: _Optional[_Iterable[_Union[Metric, _Mapping]]] = ..., held_versions: _Optional[_Iterable[str]] = ..., refused: _Optional[str] = ..., stream_sequence: _Optional[int] = ..., last_run: _Optional[_Union[TrainingRun, _Mapping]] = ...) -> None: ...
