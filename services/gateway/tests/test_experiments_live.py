"""Experiments as they are now: who is in which arm, and how a change reaches every gateway."""

import asyncio
import logging
from dataclasses import dataclass, field, replace
from typing import Literal, cast

import pytest

from gateway.experiments.file import Arm, Experiment
from gateway.experiments.live import Experiments, ExperimentState, LiveExperiment
from gateway.requests import Blend
from recsys.errors import InvalidArgumentError, StoreUnavailableError
from recsys.experiments import METRICS, Metric, MetricsDocument
from recsys.feature_store.interface import FeatureStore, Profile, Subject

pytestmark = pytest.mark.anyio


def stranger(user_id: str, kind: Literal["user", "session"] = "user") -> Profile:
    """Somebody who was shown nothing yet."""
    return Profile(Subject(kind, user_id), recent=(), seen={})


USERS = [stranger(str(number)) for number in range(2000)]


@dataclass
class FakeStore:
    """States in memory; unavailable when a test says so."""

    states: dict[str, ExperimentState] = field(default_factory=dict)
    is_unavailable: bool = False
    asked: int = 0
    documents: dict[str, str] = field(default_factory=dict)

    async def texts(self, kind: str) -> dict[str, str]:
        if kind == "documents":
            return dict(self.documents)
        self.asked += 1
        if self.is_unavailable:
            raise StoreUnavailableError("no store at 127.0.0.1:6379")
        return {name: state.to_text() for name, state in self.states.items()}

    async def write_text(self, kind: str, name: str, text: str) -> None:
        if kind == "documents":
            self.documents[name] = text
        else:
            self.states[name] = ExperimentState.from_text(text)

    @property
    def typed(self) -> FeatureStore:
        return cast(FeatureStore, self)


def experiment(name: str, *shares: float) -> Experiment:
    return Experiment(
        name=name, arms=tuple(Arm(name=f"arm-{number}", share=share) for number, share in enumerate(shares))
    )


def arms(experiments: Experiments) -> dict[str, tuple[str, str] | None]:
    return {user.subject.id: arm_of(user, experiments) for user in USERS}


def arm_of(profile: Profile, experiments: Experiments) -> tuple[str, str] | None:
    assigned = experiments.assign(profile)
    return assigned and (assigned.experiment, assigned.arm.name)


async def test_a_subject_gets_the_whole_arm_of_the_file() -> None:
    fresher = Arm(name="fresher", share=1, blend=Blend(personal=0.8, recency=0.2), candidates=500)
    experiments = Experiments([Experiment(name="recency", arms=(Arm(name="control", share=0), fresher))])
    await experiments.refresh(FakeStore().typed)

    assigned = experiments.assign(stranger("s-1", "session"))

    assert assigned is not None
    assert (assigned.experiment, assigned.arm) == ("recency", fresher)


async def test_every_gateway_gives_the_same_answer_again_and_again() -> None:
    one, other = (Experiments([experiment("recency", 0.4, 0.4)]) for _ in range(2))
    await one.refresh(FakeStore().typed)
    await other.refresh(FakeStore().typed)

    assert arms(one) == arms(one) == arms(other)
    assert {None, ("recency", "arm-0"), ("recency", "arm-1")} == set(arms(one).values())


async def test_a_user_and_a_session_of_the_same_id_are_two_subjects() -> None:
    experiments = Experiments([experiment("recency", 0.5, 0.5)])
    await experiments.refresh(FakeStore().typed)

    assert any(
        arm_of(stranger(str(number)), experiments) != arm_of(stranger(str(number), "session"), experiments)
        for number in range(20)
    )


async def test_an_earlier_experiment_comes_first_and_the_next_one_takes_its_part_of_the_rest() -> None:
    both = Experiments([experiment("recency", 0.25, 0.25), experiment("breadth", 0.5, 0.5)])
    alone = Experiments([experiment("recency", 0.25, 0.25)])
    await both.refresh(FakeStore().typed)
    await alone.refresh(FakeStore().typed)

    of_both, of_one = arms(both), arms(alone)

    assert all(of_both[user] == arm for user, arm in of_one.items() if arm)
    rest = [of_both[user] for user, arm in of_one.items() if arm is None]
    assert rest.count(("breadth", "arm-0")) / len(rest) == pytest.approx(0.5, abs=0.05)
    assert rest.count(("breadth", "arm-1")) + rest.count(("breadth", "arm-0")) == len(rest)


async def test_what_an_earlier_experiment_takes_leaves_the_ratio_of_a_later_one() -> None:
    store = FakeStore()
    experiments = Experiments([experiment("recency", 0.0, 0.0), experiment("breadth", 0.5, 0.5)])
    await experiments.refresh(store.typed)
    before = arms(experiments)
    await experiments.set_shares("recency", {"arm-0": 0.3, "arm-1": 0.3}, store=store.typed)
    after = arms(experiments)

    stayed = [after[user] for user in after if after[user] == before[user]]

    assert len(stayed) / len(after) == pytest.approx(0.4, abs=0.05)
    assert stayed.count(("breadth", "arm-0")) / len(stayed) == pytest.approx(0.5, abs=0.05)
    assert all(arm and arm[0] == "recency" for user, arm in after.items() if arm != before[user])


async def test_a_stopped_experiment_has_nobody_and_leaves_them_to_the_next() -> None:
    store = FakeStore()
    experiments = Experiments([experiment("recency", 0.5, 0.5), experiment("breadth", 0.5, 0.5)])
    await experiments.refresh(store.typed)

    stopped = await experiments.stop("recency", store=store.typed, now_ms=7)

    assert stopped.state.stopped_ms == 7
    assert {arm and arm[0] for arm in arms(experiments).values()} == {"breadth"}


async def test_a_second_stop_keeps_the_time_of_the_first() -> None:
    store = FakeStore()
    experiments = Experiments([experiment("recency", 0.5, 0.5)])
    await experiments.stop("recency", store=store.typed, now_ms=7)

    assert (await experiments.stop("recency", store=store.typed, now_ms=8)).state.stopped_ms == 7


async def test_new_shares_hold_for_those_who_were_shown_nothing_yet() -> None:
    store = FakeStore()
    experiments = Experiments([experiment("recency", 0.05, 0.05)])

    live = await experiments.set_shares("recency", {"arm-0": 0.3, "arm-1": 0.3}, store=store.typed)
    after = arms(experiments)

    assert live.shares == {"arm-0": 0.3, "arm-1": 0.3}
    assert sum(arm is not None for arm in after.values()) / len(USERS) == pytest.approx(0.6, abs=0.05)


async def test_another_gateway_sees_a_change_with_its_next_refresh() -> None:
    store = FakeStore()
    one, other = (Experiments([experiment("recency", 0.1, 0.1)]) for _ in range(2))
    await other.refresh(store.typed)

    await one.set_shares("recency", {"arm-1": 0.5}, store=store.typed)
    await one.stop("recency", store=store.typed, now_ms=7)
    await other.refresh(store.typed)

    assert other.get("recency").shares == {"arm-0": 0.1, "arm-1": 0.5}
    assert set(arms(other).values()) == {None}


async def test_a_change_builds_on_what_another_gateway_changed() -> None:
    store = FakeStore()
    one, other = (Experiments([experiment("recency", 0.1, 0.1)]) for _ in range(2))
    await other.refresh(store.typed)

    await one.set_shares("recency", {"arm-0": 0.2}, store=store.typed)
    live = await other.set_shares("recency", {"arm-1": 0.3}, store=store.typed)

    assert live.shares == {"arm-0": 0.2, "arm-1": 0.3}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"arm-7": 0.1}, "experiment 'recency' has no arm 'arm-7'; its arms: arm-0, arm-1"),
        ({"arm-0": 0.6}, "experiment 'recency': shares: expected a sum of 1 at the most, found 1.1"),
    ],
)
async def test_shares_that_do_not_fit_change_nothing(changes: dict[str, float], said: str) -> None:
    store = FakeStore()
    experiments = Experiments([experiment("recency", 0.5, 0.5)])

    with pytest.raises(InvalidArgumentError, match=said):
        await experiments.set_shares("recency", changes, store=store.typed)

    assert store.states == {}
    assert experiments.get("recency").shares == {"arm-0": 0.5, "arm-1": 0.5}


async def test_a_stopped_experiment_is_not_ramped_up() -> None:
    store = FakeStore()
    experiments = Experiments([experiment("recency", 0.1, 0.1)])
    await experiments.stop("recency", store=store.typed, now_ms=7)

    with pytest.raises(InvalidArgumentError, match="'recency' is stopped"):
        await experiments.set_shares("recency", {"arm-0": 0.2}, store=store.typed)


def test_changed_shares_that_no_longer_fit_an_edited_file_do_not_count() -> None:
    state = ExperimentState(shares={"arm-0": 0.7, "arm-of-old": 0.3})

    assert LiveExperiment(experiment("recency", 0.1, 0.2), state).shares == {"arm-0": 0.7, "arm-1": 0.2}
    assert LiveExperiment(experiment("recency", 0.1, 0.4), state).shares == {"arm-0": 0.1, "arm-1": 0.4}


async def test_nobody_is_assigned_before_the_store_said_what_is_stopped() -> None:
    experiments = Experiments([experiment("recency", 0.5, 0.5)])

    assert experiments.assign(USERS[0]) is None


async def test_while_the_store_is_unavailable_the_last_state_counts_and_one_line_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = FakeStore()
    experiments = Experiments([experiment("recency", 0.5, 0.5)])
    await experiments.stop("recency", store=store.typed, now_ms=7)
    store.is_unavailable = True

    with caplog.at_level(logging.WARNING):
        following = asyncio.create_task(experiments.follow(store.typed, interval_s=0))
        await until_asked(store, times=3)

        assert [record.message for record in caplog.records] == ["experiments are not refreshed"]
        assert set(arms(experiments).values()) == {None}

        store.is_unavailable = False
        store.states = {}
        await until_asked(store, times=2)

        assert None not in arms(experiments).values()
        following.cancel()
        with pytest.raises(asyncio.CancelledError):
            await following


async def test_an_arm_that_was_shown_stays_whatever_the_hash_says_of_who_it_is_by_now() -> None:
    experiments = Experiments([experiment("recency", 0.5, 0.5)])
    await experiments.refresh(FakeStore().typed)

    for user in USERS[:50]:
        for shown in ("arm-0", "arm-1"):
            assert arm_of(replace(user, arms={"recency": shown}), experiments) == ("recency", shown)


async def test_an_arm_that_was_shown_stays_when_shares_fall_and_an_earlier_experiment_grows() -> None:
    store = FakeStore()
    experiments = Experiments([experiment("recency", 0.0, 0.0), experiment("breadth", 0.5, 0.5)])
    await experiments.set_shares("recency", {"arm-0": 0.5, "arm-1": 0.5}, store=store.typed)
    await experiments.set_shares("breadth", {"arm-0": 0.01, "arm-1": 0.01}, store=store.typed)

    assert {arm_of(replace(user, arms={"breadth": "arm-1"}), experiments) for user in USERS} == {("breadth", "arm-1")}


async def test_an_arm_without_a_share_is_shown_to_nobody_and_its_people_are_in_no_other_arm_of_it() -> None:
    experiments = Experiments([experiment("recency", 1.0, 0.0)])
    await experiments.refresh(FakeStore().typed)

    for shown in ("arm-1", "of an earlier file"):
        assert {arm_of(replace(user, arms={"recency": shown}), experiments) for user in USERS} == {None}


async def test_the_sink_is_told_once_what_is_measured() -> None:
    store = FakeStore()
    orders = (Metric(name="orders", measure="count", types=("order",)),)
    experiments = Experiments([experiment("recency", 0.5, 0.5).model_copy(update={"metrics": orders})])
    await experiments.refresh(store.typed)

    assert MetricsDocument.validate_json(store.documents.pop(METRICS)) == {"recency": orders}
    await experiments.refresh(store.typed)
    assert store.documents == {}


async def test_a_gateway_without_experiments_leaves_what_another_one_told() -> None:
    store = FakeStore()
    await Experiments().refresh(store.typed)

    assert store.documents == {}


async def until_asked(store: FakeStore, *, times: int) -> None:
    """Let others run until the store was asked so often again."""
    wanted = store.asked + times
    while store.asked < wanted:
        await asyncio.sleep(0)
