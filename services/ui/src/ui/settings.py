"""What the page may be told: environment variables with the prefix UI_ in, one frozen object out."""

from pydantic import Field, HttpUrl, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Built once by `__main__` for the server's address and once by the page for the gateway's."""

    model_config = SettingsConfigDict(env_prefix="UI_", env_ignore_empty=True, hide_input_in_errors=True, frozen=True)

    gateway_url: HttpUrl = Field(default=HttpUrl("http://127.0.0.1:8000"), description="where the REST API answers")
    api_key: SecretStr | None = Field(default=None, description="API key of the page: scopes read and events")
    currency: str = Field(default="", max_length=8, description="sign or code shown with every price, such as € or EUR")
    timeout_s: float = Field(default=5.0, gt=0, description="longest wait for one answer of the gateway")
    host: str = Field(default="127.0.0.1", description="address that the page is served on")
    port: int = Field(default=8501, ge=1, le=65535, description="port that the page is served on")
    metrics_host: str = Field(default="127.0.0.1", description="address of GET /metrics")
    metrics_port: int = Field(default=0, ge=0, le=65535, description="port of GET /metrics; 0: none")
    count_clicks: bool = Field(
        default=False, description="whether what a visitor of the page sees and clicks counts at first, as a shopper's"
    )
