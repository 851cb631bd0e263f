"""Everything that can be set on the gateway, read from the environment (`GATEWAY_…`) once, in `__main__`."""

from pathlib import Path
from typing import Literal, Self

from pydantic import AliasChoices, Field, PrivateAttr, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from gateway.api_keys import Rate
from gateway.requests import Blend, Diversity
from recsys.errors import DataError
from recsys.feature_store.interface import SESSION_DAYS
from recsys.rpc.tls import TlsFiles, TlsSettings
from recsys.shop import events as event_types

ANYWHERE = "anywhere"


class Settings(TlsSettings, BaseSettings):
    """Settings of one gateway process. Times are in seconds."""

    model_config = SettingsConfigDict(
        env_prefix="GATEWAY_", env_ignore_empty=True, hide_input_in_errors=True, frozen=True, populate_by_name=True
    )

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0: the system chooses")
    grpc_port: int = Field(0, ge=0, le=65535, description="port of the gRPC API, on the same address; 0: none")
    grpc_tls_certificate: Path | None = Field(
        None, description="PEM file: the gRPC API's certificate; none: plain text"
    )
    grpc_tls_key: Path | None = Field(None, description="PEM file: that certificate's private key")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="least severe lines to log")
    candidate_gen_target: str = Field("127.0.0.1:50051", description="address of candidate_gen")
    reranker_target: str = Field("127.0.0.1:50052", description="address of the reranker")
    metrics_host: str = Field("127.0.0.1", description="address of GET /metrics")
    metrics_port: int = Field(0, ge=0, le=65535, description="port of GET /metrics; 0: none")
    api_keys_file: Path | None = Field(None, description="who may call, YAML; see docs/operations.md")
    open_on: str = Field(
        "", description="without keys: the loopback address that everybody is answered on, or `anywhere`"
    )
    rate_limit: Rate | None = Field(None, description="requests of each key, such as 600/minute; none: no limit")
    cors_origins: list[str] = Field([], description="web pages whose scripts may call (JSON); none: no page")
    call_streams: int = Field(
        16,
        ge=0,
        le=64,
        validation_alias=AliasChoices("GATEWAY_CALL_STREAMS", "GATEWAY_LANES"),
        description="streams kept open to each service, no fewer than its replicas; 0: none (GATEWAY_LANES holds too)",
    )
    candidates: int = Field(200, ge=1, le=1000, description="candidates that the reranker chooses from")
    timeout_s: float = Field(1.0, gt=0, description="budget of one request over all its calls")
    candidate_share: float = Field(0.5, gt=0, lt=1, description="the first stage's part of what is left of it")
    readiness_timeout_s: float = Field(0.5, gt=0, description="how long /readyz waits for the services")
    feature_store_url: str = Field(
        "",
        repr=False,
        description="sqlite:///path, valkey://host:port/0 or valkey+cluster://host:port; empty: no live state",
    )
    store_timeout_s: float = Field(0.1, gt=0, description="how long a recommendation waits for the feature store")
    session_days: int = Field(
        SESSION_DAYS, ge=1, le=3650, description="days without an event after which an anonymous session is forgotten"
    )
    cursor_key: SecretStr = Field(
        SecretStr(""), description="signs cursors; the same for all replicas. Empty: drawn at the start"
    )
    mapping_file: Path | None = Field(
        None, description="the shop's mapping, TOML: its `[weights]` are event types that are taken, beside ours"
    )
    max_clock_ahead_s: float = Field(300.0, ge=0, description="events further in the future count as now")
    max_body_bytes: int = Field(1_048_576, ge=1024, description="longest body of a request")
    static_list_file: Path | None = Field(
        None, description="JSON that popular items are kept in, for a start while the services are unavailable"
    )
    max_in_flight: int = Field(128, ge=1, description="requests answered at once; more get 429 at once")
    blend: Blend | None = Field(
        None,
        description="weights of personal, popularity, recency, transitions (JSON); none: the best the trainer found",
    )
    diversity: Diversity | None = Field(None, description="mmr_lambda and max_per_category of every list (JSON)")
    exploration: float = Field(0.05, ge=0, le=1, description="share of lists that try an item nobody knows yet")
    rules_file: Path | None = Field(None, description="boost and pin rules for every list, YAML")
    experiments_file: Path | None = Field(None, description="experiments and their arms, YAML; see docs/experiments.md")
    _event_weights: dict[str, float] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _types_can_be_read(self) -> Self:
        try:
            of_the_shop = event_types.read(self.mapping_file) if self.mapping_file else {}
        except DataError as error:
            raise ValueError(str(error)) from error
        self._event_weights = event_types.weighted(of_the_shop) | {event_types.REMOVE: 0.0}
        return self

    @model_validator(mode="after")
    def _certificate_and_key_of_grpc_come_together(self) -> Self:
        if (self.grpc_tls_certificate is None) != (self.grpc_tls_key is None):
            raise ValueError("grpc_tls_certificate and grpc_tls_key: expected both or none, found one")
        return self

    def grpc_tls_files(self) -> TlsFiles | None:
        """What the gRPC API shows its callers, who show an API key and no certificate; none: plain text."""
        if self.grpc_tls_certificate is None:
            return None
        return TlsFiles(certificate=self.grpc_tls_certificate, key=self.grpc_tls_key)

    @property
    def event_weights(self) -> dict[str, float]:
        """Event types that are taken, and what each adds to what is trending."""
        return self._event_weights
