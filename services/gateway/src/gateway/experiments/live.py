"""The experiments as they are now: the file's, and what the API changed since, which stands in the feature store.

Which arm somebody is first shown is a pure function of salt, subject and shares, the same in every gateway; later the
arm is kept with the profile, so that shares may change.

In: experiments, and again and again the store's states. Out: assignments. A change made through any gateway reaches
the others with their next `refresh`. What the experiments measure is told to the sink, through the store, once.
"""

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Final, NoReturn

from gateway.experiments.file import Arm, Experiment, check_sum
from recsys.background import while_store_answers
from recsys.errors import InvalidArgumentError
from recsys.experiments import METRICS, MetricsDocument
from recsys.feature_store.interface import FeatureStore, Profile, Subject

REFRESH_INTERVAL_S: Final = 1.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Assignment:
    """The arm that a subject is in."""

    experiment: str
    arm: Arm


@dataclass(frozen=True)
class ExperimentState:
    """What the API changed about an experiment of the file."""

    stopped_ms: int | None = None
    shares: Mapping[str, float] = field(default_factory=dict)  # arm → share; an arm not named keeps the file's
    shipped_arm: str | None = None  # whose settings are everybody's since it was stopped
    begun_with: Mapping[str, float] = field(default_factory=dict)  # the first shares, where the file's are all 0

    @classmethod
    def from_text(cls, text: str) -> "ExperimentState":
        """What `to_text` made a text of."""
        return cls(*json.loads(text))

    def to_text(self) -> str:
        """JSON, as the feature store keeps it."""
        later = [self.shipped_arm, dict(self.begun_with)]  # an older gateway knows neither
        while later and not later[-1]:
            later.pop()
        return json.dumps([self.stopped_ms, dict(self.shares), *later])


@dataclass(frozen=True)
class LiveExperiment:
    """An experiment of the file and what the API changed about it."""

    definition: Experiment
    state: ExperimentState = field(default_factory=ExperimentState)

    @property
    def name(self) -> str:
        return self.definition.name

    @property
    def is_stopped(self) -> bool:
        return self.state.stopped_ms is not None

    @property
    def shipped(self) -> Arm | None:
        """The arm whose settings are everybody's; none also where an edited file has it no more."""
        return next((arm for arm in self.definition.arms if arm.name == self.state.shipped_arm), None)

    @property
    def first_shares(self) -> Mapping[str, float]:
        """Arm → share of the first units: the file's, or where these are all 0 what it was started with."""
        return self.definition.shares if any(self.definition.shares.values()) else self.state.begun_with

    @cached_property
    def shares(self) -> dict[str, float]:
        """Arm → share. Changed shares that no longer fit an edited file do not count."""
        changed = {arm: self.state.shares.get(arm, share) for arm, share in self.definition.shares.items()}
        try:
            check_sum(changed.values())
        except ValueError:
            return self.definition.shares
        return changed

    def assigned(self, arm: str) -> Assignment:
        """That somebody is in this arm of the definition."""
        return Assignment(self.name, next(each for each in self.definition.arms if each.name == arm))

    def with_shares(self, changes: Mapping[str, float]) -> ExperimentState:
        """The state after a change of shares; arms not named keep theirs.

        Raises: InvalidArgumentError (it is stopped, has no such arm, or the sum would exceed 1).
        """
        name, shares = self.name, self.shares
        if self.is_stopped:
            raise InvalidArgumentError(f"experiment {name!r} is stopped, and stays so: start one of another name")
        if unknown := [arm for arm in changes if arm not in shares]:
            raise InvalidArgumentError(f"experiment {name!r} has no arm {unknown[0]!r}; its arms: {', '.join(shares)}")
        changed = shares | dict(changes)
        try:
            check_sum(changed.values())
        except ValueError as error:
            raise InvalidArgumentError(f"experiment {name!r}: {error}") from error
        begun = self.state.begun_with or ({} if any(self.definition.shares.values()) else changed)
        return replace(self.state, shares=changed, begun_with=begun)


class Experiments:
    """All experiments of the file, by name, and who is in which arm of them."""

    def __init__(self, definitions: Sequence[Experiment] = ()) -> None:
        self._live = {definition.name: LiveExperiment(definition) for definition in definitions}
        # Until the store has said what is stopped, nobody is in an experiment: it could not be counted there either.
        self._running: tuple[LiveExperiment, ...] = ()
        self._shipped: Arm | None = None  # the settings of all shipped arms in one
        self._told = not definitions  # the sink knows the metrics

    def assign(self, profile: Profile) -> Assignment | None:
        """The arm that somebody was shown before, or else that of the first running experiment that has one for them.

        An arm whose share is 0 is shown to nobody; who was shown it before is in no other arm of that experiment.
        """
        shown = [(each, profile.arms[name]) for each in self._running if (name := each.name) in profile.arms]
        for each, arm in shown:
            if each.shares.get(arm):
                return each.assigned(arm)
        for each in self._running:
            found = arm_for(profile.subject, salt=each.definition.hash_salt, shares=each.shares)
            if found is not None and each.name not in profile.arms:
                return each.assigned(found)
        return None

    def settings_of(self, assignment: Assignment | None) -> Arm | None:
        """What somebody gets: what the arm says, else what arms that were shipped say, else nothing."""
        arm = assignment.arm if assignment else None
        if self._shipped is None or arm is None:
            return arm or self._shipped
        return arm.model_copy(update={name: getattr(self._shipped, name) for name in _unsaid(arm)})

    def define(self, definitions: Sequence[Experiment]) -> None:
        """Go on with what an edited file says. A new experiment begins with the next `refresh`."""
        before, running = self._live, {each.name for each in self._running}
        self._live = {
            each.name: LiveExperiment(each, before[each.name].state if each.name in before else ExperimentState())
            for each in definitions
        }
        self._running = tuple(live for name, live in self._live.items() if name in running)
        self._shipped = _together(self._live.values())
        self._told = False

    def all(self) -> list[LiveExperiment]:
        """In the file's order."""
        return list(self._live.values())

    def get(self, name: str) -> LiveExperiment:
        """By the name that the file gives it."""
        return self._live[name]

    async def refresh(self, store: FeatureStore) -> None:
        """Take over what the store says now.

        Raises: StoreUnavailableError (and all stays as it was).
        """
        states = await store.texts("experiment_states")
        if not self._told:
            metrics = {name: live.definition.metrics for name, live in self._live.items()}
            await store.write_text("documents", METRICS, MetricsDocument.dump_json(metrics).decode())
            self._told = True
        self._live = {
            name: LiveExperiment(live.definition, ExperimentState.from_text(states.get(name, "[]")))
            for name, live in self._live.items()
        }
        self._running = tuple(live for live in self._live.values() if not live.is_stopped)
        self._shipped = _together(self._live.values())

    async def follow(self, store: FeatureStore, *, interval_s: float = REFRESH_INTERVAL_S) -> NoReturn:
        """Refresh until cancelled. While the store is unavailable the last state counts; that is logged once."""
        unavailable = "experiments are not refreshed"
        await while_store_answers(partial(self.refresh, store), every_s=interval_s, log=logger, unavailable=unavailable)

    async def stop(self, name: str, *, store: FeatureStore, now_ms: int) -> LiveExperiment:
        """Put nobody into an experiment of the file any more. Once more changes nothing."""
        await self.refresh(store)
        state = self._live[name].state
        return await self._change(name, replace(state, stopped_ms=state.stopped_ms or now_ms), store=store)

    async def ship(self, name: str, arm: str, *, store: FeatureStore, now_ms: int) -> LiveExperiment:
        """Stop an experiment of the file, and make an arm's settings everybody's, but for its version.

        Raises: InvalidArgumentError (it has no such arm).
        """
        await self.refresh(store)
        known, state = self._live[name].shares, self._live[name].state
        if arm not in known:
            raise InvalidArgumentError(f"experiment {name!r} has no arm {arm!r}; its arms: {', '.join(known)}")
        shipped = replace(state, stopped_ms=state.stopped_ms or now_ms, shipped_arm=arm)
        return await self._change(name, shipped, store=store)

    async def set_shares(self, name: str, changes: Mapping[str, float], *, store: FeatureStore) -> LiveExperiment:
        """Change shares of an experiment of the file, on top of what the store says now.

        Raises: InvalidArgumentError (the experiment is stopped, or the shares do not fit it).
        """
        await self.refresh(store)
        return await self._change(name, self._live[name].with_shares(changes), store=store)

    async def _change(self, name: str, state: ExperimentState, *, store: FeatureStore) -> LiveExperiment:
        await store.write_text("experiment_states", name, state.to_text())
        await self.refresh(store)
        return self._live[name]


def _together(experiments: Iterable[LiveExperiment]) -> Arm | None:
    """The settings of all arms that were shipped, those of the experiment that was stopped last first."""
    found = [(each.state.stopped_ms or 0, arm) for each in experiments if (arm := each.shipped) is not None]
    together: Arm | None = None
    for _, arm in sorted(found, key=lambda one: one[0], reverse=True):
        plain = arm.model_copy(update={"artifact_version": None})  # of a new model it would be the end
        unsaid = {} if together is None else {name: getattr(plain, name) for name in _unsaid(together)}
        together = plain if together is None else together.model_copy(update=unsaid)
    return together


def _unsaid(arm: Arm) -> list[str]:
    """The settings of an arm that are as without it."""
    return [name for name in Arm.model_fields if getattr(arm, name) is None]


def arm_for(subject: Subject, *, salt: str, shares: Mapping[str, float]) -> str | None:
    """The arm whose part of [0, 1) has the subject's position. Parts follow each other; what is left is nobody's."""
    at, end = position(subject, salt=salt), 0.0
    for arm, share in shares.items():
        end += share
        if at < end:
            return arm
    return None


def position(subject: Subject, *, salt: str) -> float:
    """Where a subject stands in [0, 1), uniformly over subjects: the first 53 bits of SHA-256.

    Each experiment has a salt of its own, so that its arms are independent of those of every other one.
    """
    # Neither a salt nor a kind holds a NUL, so no two triples give the same text.
    digest = hashlib.sha256(f"{salt}\0{subject.kind}\0{subject.id}".encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53
