"""Settings of the sink, from the environment (EVENT_SINK_…)."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read once, in `__main__`, and passed down."""

    model_config = SettingsConfigDict(hide_input_in_errors=True, env_prefix="EVENT_SINK_", frozen=True)

    feature_store_url: str = Field(repr=False, description="store whose stream is moved")
    artifact_dir: Path = Field(description="volume; the lake is its folder `lake`")
    interval_s: float = Field(5.0, gt=0, description="how often to look for new entries")
    batch: int = Field(10_000, ge=1, description="most entries moved at once")
    click_window_days: float = Field(7.0, gt=0, description="a click comes so long after its list at most")
    clock_skew_s: float = Field(300.0, ge=0, description="by so much the shop's clock may be behind the gateway's")
    metrics_host: str = Field("127.0.0.1", description="address of GET /metrics")
    metrics_port: int = Field(0, ge=0, le=65535, description="port of GET /metrics; 0: none")
    keep_events_days: int = Field(0, ge=0, le=36_500, description="days that events stay in the lake; 0: for ever")
    keep_exposures_days: int = Field(0, ge=0, le=36_500, description="days that exposures stay; 0: for ever")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="least severe lines to log")
