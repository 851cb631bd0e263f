"""Everything that can be set on the job, as environment variables `FEAST_SYNC_…`."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read once, in `__main__`, and passed down."""

    model_config = SettingsConfigDict(hide_input_in_errors=True, env_prefix="FEAST_SYNC_", frozen=True)

    config: Path = Field(description="TOML: the Feast repository and its features; see `feast_sync.features`")
    artifact_dir: Path = Field(
        description="volume that the trainer publishes on: its live version says which items there are"
    )
    feature_store_url: str = Field(
        repr=False,
        description="ours, to which changes go: `sqlite:///path`, `valkey://host:port/0` or `valkey+cluster://host:port`",
    )
    interval_s: float = Field(60.0, gt=0, description="how often to look for changes")
    metrics_host: str = Field("127.0.0.1", description="address of GET /metrics")
    metrics_port: int = Field(0, ge=0, le=65535, description="port of GET /metrics; 0: none")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="least severe lines to log")
