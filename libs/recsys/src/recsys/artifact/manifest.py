"""The artifact's manifest: what a version holds, where it comes from, and the checksum of every file."""

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from recsys.artifact import layout
from recsys.blend import BlendWeights

FORMAT_VERSION: Final = 2
_FAILED: Final = "failed: "

UsersIn = Literal["artifact", "feature_store"]
"""Where a version's users are: its own files, or the feature store, from whose histories services fold them in."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Open(BaseModel):
    """Other trainers may record more."""

    model_config = ConfigDict(frozen=True, extra="allow")


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


class AgeInfo(_Frozen):
    """How much less an item of a history says the older it is. See `recsys.age`."""

    step_decay: float = Field(default=1.0, gt=0, le=1)  # factor for each later moment that the user has; 1: off
    half_life_days: float | None = Field(default=None, gt=0, allow_inf_nan=False)  # none: time alone changes nothing

    @property
    def is_off(self) -> bool:
        """Whether everything counts alike, however old."""
        return self.step_decay == 1 and self.half_life_days is None


class _FoldIn(_Frozen):
    # left out where it is off: a service of an earlier release reads such a version
    age: AgeInfo = Field(default=AgeInfo(), exclude_if=lambda age: age.is_off)


class ALSFoldIn(_FoldIn):
    """Least squares as `implicit` solves it, over BM25 confidences of the history."""

    kind: Literal["als"] = "als"
    weight_scale: float = Field(gt=0)  # raw weight × this = BM25's term frequency
    alpha: float = Field(gt=0)
    k1: float = Field(ge=0)
    b: float = Field(ge=0, le=1)
    avg_length: float = Field(gt=0)  # mean over the users of training of the sum of their term frequencies


class IALSFoldIn(_FoldIn):
    """Least squares with a penalty that grows with the history's confidence."""

    kind: Literal["ials"] = "ials"
    scale: float = Field(gt=0)  # raw weight × this × items^-user_length_exponent = confidence
    user_length_exponent: float = Field(ge=0)
    unobserved_weight: float = Field(gt=0)
    regularization: float = Field(gt=0)
    frequency_exponent: float = Field(ge=0)


class SumFoldIn(_FoldIn):
    """A weighted sum of item vectors."""

    kind: Literal["sum"] = "sum"
    weight_exponent: float = Field(default=1.0, ge=0)  # of a raw weight; 0: only whether there is one counts
    user_exponent: float = Field(default=0.0, ge=0)  # the sum is divided by (number of items)^this


class SequenceFoldIn(_Frozen):
    """Causal self-attention over the last items, whose weights are a file of their own. See `sequence_encoder`."""

    kind: Literal["sequence"] = "sequence"
    blocks: int = Field(ge=1)
    heads: int = Field(ge=1)  # divide the manifest's dim
    hidden: int = Field(ge=1)  # width of a block's feed-forward layer
    most_items: int = Field(ge=1)  # of a history, the most recent ones


FoldInInfo = Annotated[ALSFoldIn | IALSFoldIn | SumFoldIn | SequenceFoldIn, Field(discriminator="kind")]


LAST_ITEMS: Final = 20


class TransitionsInfo(_Frozen):
    """What leads from item to item, and how a history's items count for it; see `recsys.artifact.transitions`."""

    age: AgeInfo = AgeInfo()  # of the history's items
    # so many of a history count, the most recent ones
    last_items: int = Field(default=LAST_ITEMS, ge=1, exclude_if=lambda count: count == LAST_ITEMS)
    # what was counted: who took an item up after another one, or who has both, in whatever order
    counted: Literal["in_order", "together"] = Field(default="in_order", exclude_if=lambda what: what == "in_order")
    # a user of n items counts n^-user_exponent, and a count is divided by powers of the sums of both items
    user_exponent: float = Field(default=0.0, ge=0, exclude_if=lambda exponent: exponent == 0.0)
    source_exponent: float = Field(default=0.5, ge=0, exclude_if=lambda exponent: exponent == 0.5)
    target_exponent: float = Field(default=0.1, ge=0, exclude_if=lambda exponent: exponent == 0.1)
    # a count c is taken as c² / (c + shrinkage), which keeps down what rests on a few
    shrinkage: float = Field(default=0.0, ge=0, allow_inf_nan=False, exclude_if=lambda count: count == 0.0)


class BlendInfo(_Frozen):
    """How much each value of an item counts in the ranking: what was best on held-out data. See `recsys.blend`."""

    personal: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    popularity: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    recency: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    transitions: float = Field(default=0.0, ge=0, allow_inf_nan=False, exclude_if=lambda weight: weight == 0)
    recency_half_life_days: float = Field(default=30.0, gt=0, allow_inf_nan=False)

    @property
    def weights(self) -> BlendWeights:
        """As `blend` takes them."""
        return BlendWeights(self.personal, self.popularity, self.recency, self.transitions)


class RankerInfo(_Frozen):
    """Trees that are added to the blend; see `recsys.artifact.ranker`."""

    features: list[str]  # what a column of features is, in order: of a service that knows others it is refused
    trees: int = Field(ge=1)
    leaves: int = Field(ge=2, le=32)  # of the largest tree
    base_weight: float = Field(gt=0, allow_inf_nan=False)  # of the blend, which lies between 0 and 1
    # of the last event that the version knows, from which the days of its users are counted back; 0: not recorded
    last_event_unix_s: int = Field(default=0, ge=0, exclude_if=lambda moment: moment == 0)


class ItemContentInfo(_Frozen):
    """A map from the facts of an item to its embedding; see `recsys.artifact.item_content`."""

    features: list[str]  # what is hashed into the columns: of a service that knows others it is refused
    columns: int = Field(ge=1)
    price_edges: list[float]  # ascending: where the next bucket of prices begins
    # of the vectors that the shop brings of its items, whose weights follow those of the columns; 0: it brings none
    vector_length: int = Field(default=0, ge=0, exclude_if=lambda length: length == 0)


class GateInfo(_Open):
    """What the trainer's gate said of the version."""

    passed: bool
    forced: bool = False  # it went live whatever the gate said
    reasons: list[str] = []  # one sentence a check; of one that failed it begins with `failed: `
    users: int | None = None  # that judged; none: a trainer of earlier days did not say

    @property
    def refusal(self) -> str:
        """Why the version was refused; empty where it was not."""
        if self.passed:
            return ""
        failed = [reason.removeprefix(_FAILED) for reason in self.reasons if reason.startswith(_FAILED)]
        return "; ".join(failed) or "no reason is recorded"


class TrainingInfo(_Open):
    """The settings of the run, and its verdict."""

    recipe: JsonValue = None  # `trainer.choosing.recipe.Recipe`; none: not recorded
    event_weights: dict[str, float] = {}  # event type → what one event of it adds to the interest of a user
    recent_days: float | None = None  # of the window that popularity is counted over
    horizon_days: float | None = None  # of a held-out window
    data_until: str | None = None  # time of the newest event
    recent_events: dict[str, int] = {}  # events by type of the `recent_days` before it; empty: not recorded
    seed: int | None = None
    gate: GateInfo | None = None


class Manifest(_Frozen):
    """Everything a reader must know before it opens the other files."""

    format_version: Literal[1, 2] = FORMAT_VERSION
    version: str
    model: str
    dim: int = Field(gt=0)
    user_count: int = Field(ge=0)  # that it was trained on, wherever they are
    item_count: int = Field(ge=0)  # 0: a shop that has nothing yet
    interaction_count: int = Field(ge=0)
    event_types: list[str]
    index: IndexInfo
    fold_in: FoldInInfo | None = None  # none: of format 1
    blend: BlendInfo = BlendInfo()
    # none: the version has none, and no files of them
    transitions: TransitionsInfo | None = Field(default=None, exclude_if=lambda info: info is None)
    # of baskets; none: no two items were bought together, and there are no files of them
    bought_together: TransitionsInfo | None = Field(default=None, exclude_if=lambda info: info is None)
    # none: the blend alone ranks, and there are no files of one
    ranker: RankerInfo | None = Field(default=None, exclude_if=lambda info: info is None)
    # none: of an item without events nothing is known, and there is no file of a map
    item_content: ItemContentInfo | None = Field(default=None, exclude_if=lambda info: info is None)
    users_in: UsersIn = Field(default="artifact", exclude_if=lambda place: place == "artifact")
    stream_sequence: int = Field(default=0, ge=0)  # events of the stream up to here are in the training data
    metrics: dict[str, MetricValue]
    training: TrainingInfo
    dataset_fingerprint: str  # SHA-256 over the interactions that the model was fitted on
    library_versions: dict[str, str]
    code_revision: str
    trained_at: datetime
    files: dict[str, FileEntry]

    @property
    def holds_users(self) -> bool:
        """Whether the version has files of its users: ids, embeddings, histories."""
        return self.users_in == "artifact"

    @property
    def data_files(self) -> list[str]:
        """The names of the files that a version has which holds what this says, beside the manifest."""
        groups = (
            (True, layout.DATA_FILES_OF_FORMAT_1 if self.fold_in is None else layout.DATA_FILES),
            (self.fold_in is not None and self.fold_in.kind == "sequence", (layout.FOLD_IN_ENCODER,)),
            (self.transitions is not None, layout.TRANSITIONS),
            (self.bought_together is not None, layout.BOUGHT_TOGETHER),
            (self.ranker is not None, layout.RANKER),
            (self.item_content is not None, (layout.ITEM_CONTENT,)),
        )
        elsewhere = () if self.holds_users else layout.USER_FILES
        return [name for has, names in groups if has for name in names if name not in elsewhere]

    @property
    def is_refused(self) -> bool:
        """Whether the trainer's gate has refused it, also where it went live all the same."""
        return self.training.gate is not None and not self.training.gate.passed
