"""The settings as the environment and the README have them."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from candidate_gen.settings import Settings

README = Path(__file__).parents[1] / "README.md"


def test_the_readme_names_every_setting_with_its_default() -> None:
    shown = dict(
        re.findall(r"^\| `CANDIDATE_GEN_(\w+)` \| `?([^|`]*?)`? \|", README.read_text(encoding="utf-8"), re.MULTILINE)
    )
    fields = Settings.model_fields.items()
    assert shown == {name.upper(): "required" if field.is_required() else str(field.default) for name, field in fields}


def test_the_environment_decides_and_nonsense_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANDIDATE_GEN_ARTIFACT_DIR", "/somewhere")
    monkeypatch.setenv("CANDIDATE_GEN_PORT", "1234")
    settings = Settings()
    assert (settings.artifact_dir, settings.port, settings.host) == (Path("/somewhere"), 1234, "127.0.0.1")
    monkeypatch.setenv("CANDIDATE_GEN_PORT", "-1")
    with pytest.raises(ValidationError, match="port"):
        Settings()


@pytest.mark.parametrize("url", ["", "sqlite:///a.db", "valkey://host:6379/0", "valkey+cluster://host:7000"])
def test_every_address_of_a_feature_store_is_taken(url: str) -> None:
    assert Settings(artifact_dir=Path("/somewhere"), feature_store_url=url).feature_store_url == url
