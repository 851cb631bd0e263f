"""An arm that was shipped is everybody's, and an edited file is gone on with."""

from dataclasses import dataclass, field
from typing import cast

import pytest

from gateway.experiments.file import Arm, Experiment
from gateway.experiments.live import Experiments, ExperimentState
from gateway.requests import Blend, Diversity
from recsys.errors import InvalidArgumentError
from recsys.feature_store.interface import FeatureStore, Profile, Subject

pytestmark = pytest.mark.anyio

FRESHER = Arm(name="fresher", share=0.5, blend=Blend(recency=0.2), exploration=0.1, artifact_version="v7")
RECENCY = Experiment(name="recency", arms=(Arm(name="control", share=0.5), FRESHER))
VARIED = Arm(name="varied", share=1, diversity=Diversity(max_per_category=2), exploration=0.3)
BREADTH = Experiment(name="breadth", arms=(Arm(name="control", share=0), VARIED))
ANNA = Profile(Subject("user", "anna"), recent=(), seen={})


@dataclass
class FakeStore:
    """States in memory."""

    states: dict[str, str] = field(default_factory=dict)

    async def texts(self, kind: str) -> dict[str, str]:
        return dict(self.states) if kind == "experiment_states" else {}

    async def write_text(self, kind: str, name: str, text: str) -> None:
        if kind == "experiment_states":
            self.states[name] = text

    @property
    def typed(self) -> FeatureStore:
        return cast(FeatureStore, self)


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


async def test_before_anything_is_shipped_only_arms_say_something(store: FakeStore) -> None:
    experiments = Experiments([RECENCY])
    await experiments.refresh(store.typed)
    assert experiments.settings_of(None) is None
    assigned = experiments.assign(ANNA)
    assert assigned is not None
    assert experiments.settings_of(assigned) is assigned.arm


async def test_a_shipped_arm_is_everybodys_but_for_its_version(store: FakeStore) -> None:
    experiments = Experiments([RECENCY])
    live = await experiments.ship("recency", "fresher", store=store.typed, now_ms=5)

    everybody = experiments.settings_of(experiments.assign(ANNA))

    assert (live.is_stopped, live.state.shipped_arm) == (True, "fresher")
    assert experiments.assign(ANNA) is None
    assert everybody is not None
    assert (everybody.blend, everybody.exploration) == (Blend(recency=0.2), 0.1)
    assert everybody.artifact_version is None


async def test_what_a_running_arm_says_comes_before_what_was_shipped(store: FakeStore) -> None:
    experiments = Experiments([RECENCY, BREADTH])
    await experiments.ship("recency", "fresher", store=store.typed, now_ms=5)

    settings = experiments.settings_of(experiments.assign(ANNA))

    assert settings is not None
    assert (settings.name, settings.diversity, settings.exploration) == ("varied", Diversity(max_per_category=2), 0.3)
    assert settings.blend == Blend(recency=0.2)


async def test_of_several_shipped_arms_the_last_ones_word_counts_and_the_others_fill_it_up(store: FakeStore) -> None:
    experiments = Experiments([RECENCY, BREADTH])
    await experiments.ship("breadth", "varied", store=store.typed, now_ms=9)
    await experiments.ship("recency", "fresher", store=store.typed, now_ms=5)

    settings = experiments.settings_of(None)

    assert settings is not None
    assert (settings.exploration, settings.blend) == (0.3, Blend(recency=0.2))
    assert settings.diversity == Diversity(max_per_category=2)


async def test_shipping_the_control_takes_it_back_and_every_gateway_follows(store: FakeStore) -> None:
    one, other = Experiments([RECENCY]), Experiments([RECENCY])
    await one.ship("recency", "fresher", store=store.typed, now_ms=5)
    await other.refresh(store.typed)
    assert other.settings_of(None) == one.settings_of(None)

    await other.ship("recency", "control", store=store.typed, now_ms=6)
    await one.refresh(store.typed)

    taken_back = one.settings_of(None)
    assert taken_back is not None
    assert taken_back.blend is taken_back.exploration is taken_back.diversity is None


async def test_an_arm_that_there_is_not_is_not_shipped(store: FakeStore) -> None:
    with pytest.raises(InvalidArgumentError, match="experiment 'recency' has no arm 'x'; its arms: control, fresher"):
        await Experiments([RECENCY]).ship("recency", "x", store=store.typed, now_ms=5)


def test_a_state_of_an_older_gateway_is_read_and_one_without_a_shipped_arm_is_written_for_it() -> None:
    assert ExperimentState.from_text('[5, {"a": 0.1}]') == ExperimentState(5, {"a": 0.1})
    assert ExperimentState(5, {"a": 0.1}).to_text() == '[5, {"a": 0.1}]'
    shipped = ExperimentState(5, {}, "a")
    assert ExperimentState.from_text(shipped.to_text()) == shipped
    begun = ExperimentState(None, {"a": 0.2}, None, {"a": 0.1})
    assert ExperimentState.from_text(begun.to_text()) == begun


async def test_an_edited_file_keeps_what_was_stopped_and_a_new_experiment_begins_with_the_next_look(
    store: FakeStore,
) -> None:
    experiments = Experiments([RECENCY])
    await experiments.stop("recency", store=store.typed, now_ms=5)

    experiments.define([RECENCY, BREADTH])

    assert [(live.name, live.is_stopped) for live in experiments.all()] == [("recency", True), ("breadth", False)]
    assert experiments.assign(ANNA) is None
    await experiments.refresh(store.typed)
    assigned = experiments.assign(ANNA)
    assert assigned is not None
    assert assigned.experiment == "breadth"


async def test_a_file_that_was_emptied_ends_all_experiments_at_once(store: FakeStore) -> None:
    experiments = Experiments([BREADTH])
    await experiments.refresh(store.typed)
    assert experiments.assign(ANNA) is not None
    experiments.define([])
    assert experiments.assign(ANNA) is None
