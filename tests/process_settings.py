"""The settings class of every process, and the variables that it reads."""

import importlib.util
from pathlib import Path

from pydantic_settings import BaseSettings

from candidate_gen.settings import Settings as CandidateGenSettings
from event_sink.settings import Settings as EventSinkSettings
from gateway.settings import Settings as GatewaySettings
from reranker.settings import Settings as RerankerSettings
from trainer.settings import Settings as TrainerSettings

ROOT = Path(__file__).resolve().parents[1]


def ui_settings() -> type[BaseSettings]:
    """The UI is not installed in this environment; its settings need nothing of it."""
    spec = importlib.util.spec_from_file_location("ui_settings", ROOT / "services/ui/src/ui/settings.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    settings: type[BaseSettings] = module.Settings
    return settings


def variables(settings: type[BaseSettings]) -> dict[str, str]:
    """NAME → default as the table writes it."""
    prefix = str(settings.model_config["env_prefix"])
    return {
        f"{prefix}{name}".upper(): "required" if field.is_required() else str(field.default)
        for name, field in settings.model_fields.items()
    }


ALL_SETTINGS: dict[str, type[BaseSettings]] = {
    "candidate_gen": CandidateGenSettings,
    "reranker": RerankerSettings,
    "gateway": GatewaySettings,
    "ui": ui_settings(),
    "trainer": TrainerSettings,
    "event_sink": EventSinkSettings,
}
