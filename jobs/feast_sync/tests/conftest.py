"""A real Feast repository with its local provider: registry and online store are files."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from feast import Entity, FeatureStore, FeatureView, Field, FileSource
from feast.types import Bool, Float64, PrimitiveFeastType, String
from feast.value_type import ValueType

# feast sets it when it is imported, and prometheus_client would count otherwise in every later test of the session
os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)

REPOSITORY = """
project: shop
provider: local
registry: registry.db
online_store: {type: sqlite, path: online.db}
offline_store: {type: file}
entity_key_serialization_version: 3
"""
CONFIG = """
repo = "repo"

[items]
join_key = "item_id"
[items.features]
price = "item_stats:price"
available = "item_stats:in_stock"
"attributes.margin" = "item_stats:margin"

[users]
join_key = "user_id"
[users.features]
segment = "user_profile:segment"
"""
ITEMS = {
    "item_id": ["item-00", "item-01", "item-02"],
    "price": [1.5, 2.5, None],
    "in_stock": [True, False, True],
    "margin": ["high", "low", None],
}
USERS = {"user_id": ["user-00", "user-01"], "segment": ["gold", "new"]}


@pytest.fixture
def config_path(tmp_path: Path) -> Path:
    """The configuration file beside a repository with three items and two users in its online store."""
    repo = tmp_path / "repo"
    repo.mkdir()
    (repo / "feature_store.yaml").write_text(REPOSITORY)
    store = FeatureStore(repo_path=str(repo))
    add_view(store, "item_stats", ITEMS, {"price": Float64, "in_stock": Bool, "margin": String})
    add_view(store, "user_profile", USERS, {"segment": String})
    (tmp_path / "feast.toml").write_text(CONFIG)
    return tmp_path / "feast.toml"


def add_view(
    store: FeatureStore, name: str, columns: dict[str, list[object]], types: dict[str, PrimitiveFeastType]
) -> None:
    """A feature view over these columns, the first of which is the entity's key, with its rows in the online store."""
    key = next(iter(columns))
    frame = pd.DataFrame(columns | {"event_timestamp": [datetime.now(UTC)] * len(columns[key])})
    path = Path(str(store.repo_path)) / f"{name}.parquet"
    frame.to_parquet(path)
    entity = Entity(name=key.removesuffix("_id"), join_keys=[key], value_type=ValueType.STRING)
    view = FeatureView(
        name=name,
        entities=[entity],
        ttl=timedelta(days=1),
        schema=[Field(name=column, dtype=dtype) for column, dtype in types.items()],
        source=FileSource(path=str(path), timestamp_field="event_timestamp"),
    )
    store.apply([entity, view])
    store.write_to_online_store(name, frame)
