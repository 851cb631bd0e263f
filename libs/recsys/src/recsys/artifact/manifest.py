"""The artifact's manifest: what a version holds, where it comes from, and the checksum of every file."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

FORMAT_VERSION = 1


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileEntry(_Frozen):
    """One file of the version's directory."""

    bytes: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class IndexInfo(_Frozen):
    """How `retrieval.faiss` searches, and what that was measured to lose."""

    factory: str  # FAISS index factory string, for instance "Flat" or "IVF2048,SQ8"
    metric: Literal["inner_product", "cosine"]
    search_effort: int | None  # nprobe or efSearch; none for an exhaustive index
    recall: float = Field(ge=0, le=1)  # share of the exact first 100 that the index finds, over sampled users


class MetricValue(_Frozen):
    """One figure of the offline evaluation, with its 95 % bootstrap interval where one was computed."""

    value: float
    low: float | None = None
    high: float | None = None


class Manifest(_Frozen):
    """Everything a reader must know before it opens the other files."""

    format_version: Literal[1] = 1
    version: str
    model: str
    dim: int = Field(gt=0)
    user_count: int = Field(ge=0)
    item_count: int = Field(gt=0)
    interaction_count: int = Field(ge=0)
    event_types: list[str]
    index: IndexInfo
    metrics: dict[str, MetricValue]
    training: dict[
        str, JsonValue
    ]  # settings of the run: data file, weights, hyper-parameters, recent window, gate verdict
    dataset_fingerprint: str  # SHA-256 over the interactions that the model was fitted on
    library_versions: dict[str, str]
    code_revision: str
    trained_at: datetime
    files: dict[str, FileEntry]
