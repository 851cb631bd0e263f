"""Everything that can be set from outside, as environment variables `CANDIDATE_GEN_…`."""

from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from recsys.rpc.service import ServiceSettings


class Settings(ServiceSettings):
    """Those of every service, and candidate_gen's own."""

    model_config = SettingsConfigDict(env_prefix="CANDIDATE_GEN_", frozen=True)

    port: int = Field(50051, ge=0, le=65535, description="port to listen on; 0: the system chooses")
    take_after_s: float = Field(
        1.0, ge=0, description="how long after it is ready a new version becomes the one that answers"
    )
    index_device: Literal["cpu", "cuda"] = Field(
        "cpu", description="where indexes are searched; cuda: on a GPU, and without one as on cpu, which the log says"
    )
    max_count: int = Field(1000, ge=1, description="most candidates, history items or users in one response")
    session_count: int = Field(20, ge=0, description="candidates like each of the three most recent items")
    popular_count: int = Field(20, ge=0, description="popular candidates beside those of the index")
    trending_count: int = Field(20, ge=0, description="trending candidates")
    new_count: int = Field(10, ge=0, description="candidates that the model knows nothing of")
    content_count: int = Field(20, ge=0, description="candidates without events whose facts are to somebody's taste")
    transitions_count: int = Field(100, ge=0, description="candidates that the last items lead to, where that counts")
    recall_every_s: float = Field(
        60.0, ge=0, description="at most so often one search is made again exactly, to measure recall; 0: never"
    )
    campaign_threads: int = Field(1, ge=1, description="processor cores that campaigns take, behind online requests")
