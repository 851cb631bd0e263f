"""Everything that can be set from outside, as environment variables `CANDIDATE_GEN_…`."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read once, in `__main__`, and passed down."""

    model_config = SettingsConfigDict(env_prefix="CANDIDATE_GEN_", frozen=True)

    artifact_dir: Path = Field(description="volume that the trainer publishes on")
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(50051, ge=0, le=65535, description="port to listen on; 0: the system chooses")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="least severe lines to log")
    feature_store_url: str = Field(
        "", description="what the shop changed and what is trending: `sqlite:///…` or `valkey://…`; empty: nothing live"
    )
    poll_interval_s: float = Field(1.0, gt=0, description="how often to look for a new version")
    max_count: int = Field(1000, ge=1, description="most candidates, history items or users in one response")
    session_count: int = Field(20, ge=0, description="candidates like each of the three most recent items")
    popular_count: int = Field(20, ge=0, description="popular candidates beside those of the index")
    trending_count: int = Field(20, ge=0, description="trending candidates")
    new_count: int = Field(10, ge=0, description="candidates that the model knows nothing of")
    worker_threads: int = Field(8, ge=1, description="requests answered at once")
    maximum_concurrent_rpcs: int = Field(128, ge=1, description="requests answered or waiting; more are refused")
    default_deadline_s: float = Field(2.0, gt=0, description="for a request that came without a deadline")
    grace_s: float = Field(5.0, ge=0, description="for requests in flight when told to end")
