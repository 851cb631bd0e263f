import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RunState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RUN_STATE_UNSPECIFIED: _ClassVar[RunState]
    RUN_STATE_LIVE: _ClassVar[RunState]
    RUN_STATE_KEPT: _ClassVar[RunState]
    RUN_STATE_REMOVED: _ClassVar[RunState]
RUN_STATE_UNSPECIFIED: RunState
RUN_STATE_LIVE: RunState
RUN_STATE_KEPT: RunState
RUN_STATE_REMOVED: RunState

class ListRunsRequest(_message.Message):
    __slots__ = ("count",)
    COUNT_FIELD_NUMBER: _ClassVar[int]
    count: int
    def __init__(self, count: _Optional[int] = ...) -> None: ...

class RunBaseline(_message.Message):
    __slots__ = ("name", "metrics")
    class MetricsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    name: str
    metrics: _containers.ScalarMap[str, float]
    def __init__(self, name: _Optional[str] = ..., metrics: _Optional[_Mapping[str, float]] = ...) -> None: ...

class EarnedByList(_message.Message):
    __slots__ = ("order", "outcome", "value", "low", "high")
    ORDER_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    order: str
    outcome: str
    value: float
    low: float
    high: float
    def __init__(self, order: _Optional[str] = ..., outcome: _Optional[str] = ..., value: _Optional[float] = ..., low: _Optional[float] = ..., high: _Optional[float] = ...) -> None: ...

class Run(_message.Message):
    __slots__ = ("artifact_version", "state", "trained_at", "model", "user_count", "item_count", "metrics", "baselines", "users_judged", "refusal", "forced", "has_report", "earned")
    class MetricsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TRAINED_AT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    USER_COUNT_FIELD_NUMBER: _ClassVar[int]
    ITEM_COUNT_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    BASELINES_FIELD_NUMBER: _ClassVar[int]
    USERS_JUDGED_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    FORCED_FIELD_NUMBER: _ClassVar[int]
    HAS_REPORT_FIELD_NUMBER: _ClassVar[int]
    EARNED_FIELD_NUMBER: _ClassVar[int]
    artifact_version: str
    state: RunState
    trained_at: _timestamp_pb2.Timestamp
    model: str
    user_count: int
    item_count: int
    metrics: _containers.ScalarMap[str, float]
    baselines: _containers.RepeatedCompositeFieldContainer[RunBaseline]
    users_judged: int
    refusal: str
    forced: bool
    has_report: bool
    earned: _containers.RepeatedCompositeFieldContainer[EarnedByList]
    def __init__(self, artifact_version: _Optional[str] = ..., state: _Optional[_Union[RunState, str]] = ..., trained_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., model: _Optional[str] = ..., user_count: _Optional[int] = ..., item_count: _Optional[int] = ..., metrics: _Optional[_Mapping[str, float]] = ..., baselines: _Optional[_Iterable[_Union[RunBaseline, _Mapping]]] = ..., users_judged: _Optional[int] = ..., refusal: _Optional[str] = ..., forced: _Optional[bool] = ..., has_report: _Optional[bool] = ..., earned: _Optional[_Iterable[_Union[EarnedByList, _Mapping]]] = ...) -> None: ...

class RejectedRows(_message.Message):
    __slots__ = ("reason", "rows", "hint")
    REASON_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    HINT_FIELD_NUMBER: _ClassVar[int]
    reason: str
    rows: int
    hint: str
    def __init__(self, reason: _Optional[str] = ..., rows: _Optional[int] = ..., hint: _Optional[str] = ...) -> None: ...

class FileRows(_message.Message):
    __slots__ = ("name", "read", "kept", "ignored", "rejected")
    NAME_FIELD_NUMBER: _ClassVar[int]
    READ_FIELD_NUMBER: _ClassVar[int]
    KEPT_FIELD_NUMBER: _ClassVar[int]
    IGNORED_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    name: str
    read: int
    kept: int
    ignored: int
    rejected: _containers.RepeatedCompositeFieldContainer[RejectedRows]
    def __init__(self, name: _Optional[str] = ..., read: _Optional[int] = ..., kept: _Optional[int] = ..., ignored: _Optional[int] = ..., rejected: _Optional[_Iterable[_Union[RejectedRows, _Mapping]]] = ...) -> None: ...

class Reading(_message.Message):
    __slots__ = ("read_at", "files")
    READ_AT_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    read_at: _timestamp_pb2.Timestamp
    files: _containers.RepeatedCompositeFieldContainer[FileRows]
    def __init__(self, read_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., files: _Optional[_Iterable[_Union[FileRows, _Mapping]]] = ...) -> None: ...

class ListRunsResponse(_message.Message):
    __slots__ = ("artifact_version", "runs", "last_reading")
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    LAST_READING_FIELD_NUMBER: _ClassVar[int]
    artifact_version: str
    runs: _containers.RepeatedCompositeFieldContainer[Run]
    last_reading: Reading
    def __init__(self, artifact_version: _Optional[str] = ..., runs: _Optional[_Iterable[_Union[Run, _Mapping]]] = ..., last_reading: _Optional[_Union[Reading, _Mapping]] = ...) -> None: ...

class GetReportRequest(_message.Message):
    __slots__ = ("artifact_version",)
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    artifact_version: str
    def __init__(self, artifact_version: _Optional[str] = ...) -> None: ...

class GetReportResponse(_message.Message):
    __slots__ = ("artifact_version", "html")
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    HTML_FIELD_NUMBER: _ClassVar[int]
    artifact_version: str
    html: str
    def __init__(self, artifact_version: _Optional[str] = ..., html: _Optional[str] = ...) -> None: ...

class ActivateVersionRequest(_message.Message):
    __slots__ = ("artifact_version",)
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    artifact_version: str
    def __init__(self, artifact_version: _Optional[str] = ...) -> None: ...

class ActivateVersionResponse(_message.Message):
    __slots__ = ("artifact_version", "refusal")
    ARTIFACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    artifact_version: str
    refusal: str
    def __init__(self, artifact_version: _Optional[str] = ..., refusal: _Optional[str] = ...) -> None: ...
