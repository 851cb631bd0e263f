"""Everything that can be set on the gateway, read from the environment (`GATEWAY_…`) once, in `__main__`."""

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Settings of one gateway process. Times are in seconds."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    candidate_gen_target: str = "127.0.0.1:50051"
    reranker_target: str = "127.0.0.1:50052"

    candidates: int = Field(200, ge=1, le=1000, description="Candidates that the reranker chooses from.")
    timeout_s: float = Field(1.0, gt=0, description="Budget of one request, over all calls that it makes.")
    candidate_share: float = Field(0.5, gt=0, lt=1, description="Of what is left of it, the first stage's part.")
    readiness_timeout_s: float = Field(0.5, gt=0, description="How long /readyz waits for the services.")
