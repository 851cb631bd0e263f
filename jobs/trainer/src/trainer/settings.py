"""What a run is told: settings, from the environment (TRAINER_…) and the command line, and the shop's files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from recsys.artifact.layout import STORE_PATTERN
from recsys.artifact.manifest import UsersIn

ModelName = Literal["als", "ials", "spectral", "ease", "lightgcn", "sasrec"]
MAX_DAYS: Final = 36_500  # a century: beyond it a date may be none


class Settings(BaseSettings):
    """One run's settings; hyper-parameters of models stand in a recipe."""

    model_config = SettingsConfigDict(env_prefix="TRAINER_", frozen=True)

    artifact_dir: Path = Path("artifacts")  # the volume that versions are published on
    # object store that versions are published in, and of which the volume is a copy; empty: the volume is shared
    artifact_store: str = Field(default="", pattern=STORE_PATTERN)
    # feature_store: versions hold no users, whose histories go there, and services fold everybody in
    users_in: UsersIn = "artifact"
    feature_store_url: str = ""  # the services' own
    keep_versions: int = Field(default=5, ge=1)  # beyond these the oldest are removed; the live one always stays
    horizon_days: float = Field(default=30, gt=0, le=MAX_DAYS)  # length of a held-out window
    recent_days: float = Field(default=30, gt=0, le=MAX_DAYS)  # what counts as recent for popularity and recency
    ann_recall_floor: float = Field(default=0.95, ge=0, le=1)  # of the exact first 100
    selection_users: int = Field(default=5_000, ge=1)  # at most so many are asked when recipes are compared
    judging_users: int = Field(default=20_000, ge=1)  # at most so many judge a new version, a seeded sample
    learned_ranker: bool = False  # train a ranker on held-out lists, and use it where it beats the blend
    item_content: bool = True  # embeddings of new items by their facts, where a window proves them; see ADR 21
    threads: int = Field(default=0, ge=0)  # 0: all cores
    device: Literal["cpu", "cuda"] = "cpu"  # where LightGCN and SASRec are trained
    seed: int = Field(default=0, ge=0, lt=2**32)

    @model_validator(mode="after")
    def _histories_have_a_place(self) -> Self:
        if self.users_in == "feature_store" and not self.feature_store_url:
            raise ValueError("expected a feature_store_url for the histories of users_in=feature_store, found none")
        return self

    @property
    def checkpoint_dir(self) -> Path:
        """Where a model that takes long keeps its progress until the run is over."""
        return self.artifact_dir / "checkpoints"


@dataclass(frozen=True)
class ShopFiles:
    """The files that the command line names."""

    events: Path | None
    mapping: Path | None
    catalogue: Path | None
    lake: Path | None  # none: that of the volume, if it is there
    starts_empty: bool = False  # a shop without history, and not the demo shop, where no file is named

    @property
    def are_of_demo_shop(self) -> bool:
        """Whether it is the demo shop that is meant."""
        return self.events is None and self.catalogue is None and not self.starts_empty
