"""A process that cannot start says why in one line for each mistake, and ends with status 2."""

from pathlib import Path

import pytest
from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from recsys.errors import DataError, InvalidArgumentError
from recsys.process import ended_where_it_cannot_start, read_settings


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SHOP_", hide_input_in_errors=True)

    folder: Path
    port: int = Field(1, ge=0, le=65535)
    weights: dict[str, float] = {}
    store_url: str = Field("", pattern="^(sqlite:.*)?$", repr=False)
    least: int = 0

    @model_validator(mode="after")
    def _least_is_least(self) -> "Settings":
        if self.least > self.port:
            raise ValueError(f"SHOP_LEAST: expected at most SHOP_PORT, found {self.least}")
        return self


def test_settings_come_from_the_environment_and_before_it_from_the_command_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SHOP_FOLDER", "/shop")
    monkeypatch.setenv("SHOP_PORT", "7")
    assert read_settings(Settings) == Settings(folder=Path("/shop"), port=7)
    assert read_settings(Settings, folder=Path("/other")).folder == Path("/other")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "PORT",
            "abc",
            "SHOP_PORT: Input should be a valid integer, unable to parse string as an integer, found 'abc'",
        ),
        ("PORT", "70000", "SHOP_PORT: Input should be less than or equal to 65535, found '70000'"),
        ("FOLDER", None, "SHOP_FOLDER: expected a value, found none"),
        ("WEIGHTS", "view=1", "SHOP_WEIGHTS: expected JSON, found other text"),
        ("WEIGHTS", '{"view": "x"}', "SHOP_WEIGHTS.view: Input should be a valid number, unable to parse string as"),
        ("LEAST", "3", "SHOP_LEAST: expected at most SHOP_PORT, found 3"),
    ],
)
def test_a_wrong_variable_is_named_with_what_was_expected_and_found(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str | None, said: str
) -> None:
    monkeypatch.setenv("SHOP_FOLDER", "/shop")
    if value is None:
        monkeypatch.delenv(f"SHOP_{name}")
    else:
        monkeypatch.setenv(f"SHOP_{name}", value)
    with pytest.raises(InvalidArgumentError) as refused:
        read_settings(Settings)
    assert str(refused.value).startswith(said)
    assert len(str(refused.value).splitlines()) == 1


def test_what_may_hold_a_password_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_FOLDER", "/shop")
    monkeypatch.setenv("SHOP_STORE_URL", "valkey://:hunter2@host")
    with pytest.raises(InvalidArgumentError, match="SHOP_STORE_URL: String should match pattern") as refused:
        read_settings(Settings)
    assert "hunter2" not in str(refused.value)


def test_an_error_of_ours_ends_the_process_with_its_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, ended_where_it_cannot_start():
        raise DataError("keys.yaml: cannot be read: No such file or directory")
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: keys.yaml: cannot be read: No such file or directory\n"
