"""Features out of a shop's own Feast online store, by id, under the names that we know them by.

A TOML file says where the Feast repository is and which of its features are wanted:

    repo = "feature_repo"                       # the folder of feature_store.yaml

    [items]
    join_key = "item_id"
    [items.features]                            # our field = "feature_view:feature"
    price = "item_stats:price"
    available = "item_stats:in_stock"
    "attributes.margin" = "item_stats:margin"

    [users]
    join_key = "user_id"
    [users.features]
    segment = "user_profile:segment"
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

from feast import FeatureStore
from pydantic import BaseModel, ConfigDict, Field

from recsys import settings_file
from recsys.errors import DataError
from recsys.shop.item import JsonScalar

_IDS_A_CALL: Final = 1_000

Reference = Annotated[str, Field(pattern=r"^[^:\s]+:[^:\s]+$")]
ItemField = Annotated[str, Field(pattern=r"^(title|category|price|image_url|available|attributes\..+)$")]
Features = Mapping[str, JsonScalar]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class UserFeatures(_Table):
    """What is wanted of users, under names of the shop's choice."""

    join_key: str
    features: dict[str, Reference] = Field(min_length=1)


class ItemFeatures(_Table):
    """What is wanted of items, under the names of the catalogue."""

    join_key: str
    features: dict[ItemField, Reference] = Field(min_length=1)


class FeastConfig(_Table):
    """The whole file."""

    repo: Path
    items: ItemFeatures | None = None
    users: UserFeatures | None = None


def read_config(path: Path) -> FeastConfig:
    """The file; a relative `repo` is beside it. Raises: DataError, naming file, key, expected and found."""
    config = settings_file.read(path, FeastConfig, form="TOML")
    return config.model_copy(update={"repo": path.parent / config.repo})


class FeastFeatures:
    """Reads of the online store. One of them may be used by several threads, as Feast's own store may."""

    def __init__(self, config: FeastConfig) -> None:
        """Raises: DataError, where the repository cannot be opened."""
        self._config = config
        try:
            self._store = FeatureStore(repo_path=str(config.repo))
        except Exception as error:  # Feast raises what its providers raise
            raise DataError(f"{config.repo}: expected a Feast repository, found: {error}") from error

    def of_items(self, item_ids: Sequence[str]) -> dict[str, Features]:
        """Item id → features; an item that Feast does not know is absent, and so is a feature without a value."""
        return self._read(self._config.items, item_ids)

    def of_users(self, user_ids: Sequence[str]) -> dict[str, Features]:
        """The same for users."""
        return self._read(self._config.users, user_ids)

    def _read(self, wanted: ItemFeatures | UserFeatures | None, ids: Sequence[str]) -> dict[str, Features]:
        if wanted is None:
            return {}
        found: dict[str, Features] = {}
        for start in range(0, len(ids), _IDS_A_CALL):
            part = ids[start : start + _IDS_A_CALL]
            found |= dict(zip(part, self._read_part(wanted, part), strict=True))
        return {one: features for one, features in found.items() if features}

    def _read_part(self, wanted: ItemFeatures | UserFeatures, ids: Sequence[str]) -> Iterator[Features]:
        try:
            columns = self._store.get_online_features(
                features=list(wanted.features.values()),
                entity_rows=[{wanted.join_key: one} for one in ids],
                full_feature_names=True,
            ).to_dict()
        except Exception as error:  # the same: a missing view, an unreachable online store
            raise DataError(f"{self._config.repo}: cannot read {wanted.join_key} features: {error}") from error
        for row in range(len(ids)):
            values = {ours: columns[name.replace(":", "__")][row] for ours, name in wanted.features.items()}
            yield {ours: value for ours, value in values.items() if value is not None}
