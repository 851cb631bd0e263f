"""What a run leaves for Prometheus, whatever became of it, and what a service shows of it."""

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from two_tastes import two_tastes

from recsys.artifact import layout
from recsys.artifact.model_metrics import LastTraining
from recsys.errors import DataError
from trainer import pipeline, run_metrics
from trainer.choosing.recipe import ALSRecipe, PopularityRecipe
from trainer.models.als import ALSSettings
from trainer.settings import Settings

GOOD = ALSRecipe(settings=ALSSettings(dim=2))


def shown(volume: Path) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(LastTraining(volume))
    return registry


def results(registry: CollectorRegistry) -> dict[str, float | None]:
    name = "recsys_training_last_run_result"
    return {each: registry.get_sample_value(name, {"result": each}) for each in ("live", "refused", "failed")}


def test_a_run_that_went_live_and_then_one_that_was_refused(tmp_path: Path) -> None:
    settings = Settings(artifact_dir=tmp_path, horizon_days=30)
    with run_metrics.written(tmp_path) as told:
        outcome = told(pipeline.train(two_tastes(), settings=settings, recipe=GOOD, force=False))
    registry = shown(tmp_path)
    assert results(registry) == {"live": 1, "refused": 0, "failed": 0}
    assert registry.get_sample_value("recsys_training_refused") == 0
    assert registry.get_sample_value("recsys_training_judging_users") == outcome.verdict.users > 0
    quality = {"metric": "ndcg@20", "of": "model"}
    assert outcome.judgement is not None
    found = registry.get_sample_value("recsys_training_last_run_quality_ratio", quality)
    assert found == pytest.approx(outcome.judgement.new.mean("ndcg@20"))
    duration_s = registry.get_sample_value("recsys_training_last_run_duration_seconds")
    assert duration_s is not None
    assert duration_s > 0

    with run_metrics.written(tmp_path) as told:
        told(pipeline.train(two_tastes(), settings=settings, recipe=PopularityRecipe(), force=False))
    registry = shown(tmp_path)
    assert results(registry) == {"live": 0, "refused": 1, "failed": 0}
    assert registry.get_sample_value("recsys_training_refused") == 1


def test_a_run_that_failed_says_so_and_its_error_is_its_own(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing to learn"), run_metrics.written(tmp_path):
        raise DataError("nothing to learn")
    assert results(shown(tmp_path)) == {"live": 0, "refused": 0, "failed": 1}


def test_before_the_first_run_there_is_nothing_and_a_damaged_file_keeps_nobody_from_the_rest(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert results(shown(tmp_path)) == {"live": None, "refused": None, "failed": None}
    (tmp_path / layout.TRAINING_METRICS).write_text("recsys_training_last_run_result live\n")
    registry = shown(tmp_path)
    assert registry.get_sample_value("recsys_training_refused") == 0
    assert results(registry) == {"live": None, "refused": None, "failed": None}
    assert "the trainer's metrics cannot be read" in caplog.text
