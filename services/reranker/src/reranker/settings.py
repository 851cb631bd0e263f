"""Everything that can be set from outside, as environment variables `RERANKER_…`."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from recsys.rpc.service import ServiceSettings


class Settings(ServiceSettings):
    """Those of every service, and the reranker's own."""

    model_config = SettingsConfigDict(env_prefix="RERANKER_", frozen=True)

    port: int = Field(50052, ge=0, le=65535, description="port to listen on; 0: the system chooses")
    max_candidates: int = Field(3000, ge=1, description="most candidates in one request: of all sources together")
    max_page_size: int = Field(1000, ge=1, description="most items in one catalogue response")
