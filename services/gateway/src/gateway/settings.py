"""Everything that can be set on the gateway, read from the environment (`GATEWAY_…`) once, in `__main__`."""

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Settings of one gateway process. Times are in seconds."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_", frozen=True)

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0: the system chooses")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="least severe lines to log")
    candidate_gen_target: str = Field("127.0.0.1:50051", description="address of candidate_gen")
    reranker_target: str = Field("127.0.0.1:50052", description="address of the reranker")
    candidates: int = Field(200, ge=1, le=1000, description="candidates that the reranker chooses from")
    timeout_s: float = Field(1.0, gt=0, description="budget of one request over all its calls")
    candidate_share: float = Field(0.5, gt=0, lt=1, description="the first stage's part of what is left of it")
    readiness_timeout_s: float = Field(0.5, gt=0, description="how long /readyz waits for the services")
