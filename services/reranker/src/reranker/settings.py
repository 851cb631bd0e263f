"""Everything that can be set from outside, as environment variables `RERANKER_…`."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read once, in `__main__`, and passed down."""

    model_config = SettingsConfigDict(env_prefix="RERANKER_", frozen=True)

    artifact_dir: Path = Field(description="volume that the trainer publishes on")
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(50052, ge=0, le=65535, description="port to listen on; 0: the system chooses")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="least severe lines to log")
    feature_store_url: str = Field(
        "",
        pattern="^(sqlite:///.+|valkey://.+)?$",
        description="what the shop changed: `sqlite:///…` or `valkey://…`; empty: the catalogue stays as trained",
    )
    poll_interval_s: float = Field(1.0, gt=0, description="how often to look for a new version")
    max_candidates: int = Field(1000, ge=1, description="most candidates in one request")
    max_page_size: int = Field(1000, ge=1, description="most items in one catalogue response")
    worker_threads: int = Field(8, ge=1, description="requests answered at once")
    maximum_concurrent_rpcs: int = Field(128, ge=1, description="requests answered or waiting; more are refused")
    default_deadline_s: float = Field(2.0, gt=0, description="for a request that came without a deadline")
    grace_s: float = Field(5.0, ge=0, description="for requests in flight when told to end")
