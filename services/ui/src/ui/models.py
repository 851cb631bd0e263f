"""What the screen needs of the REST API's answers: JSON in, frozen objects out. Other fields are ignored."""

from collections.abc import Mapping
from datetime import date, datetime

from pydantic import BaseModel, ConfigDict

_FAILED = "failed: "  # how a reason of the gate begins that made it refuse


class Answer(BaseModel):
    """Base of all of them."""

    model_config = ConfigDict(frozen=True)


class Item(Answer):
    """An item of the catalogue; null where the shop said nothing."""

    item_id: str
    title: str | None
    category: str | None
    price: float | None
    image_url: str | None
    available: bool
    attributes: dict[str, str] = {}


class BlendTerm(Answer):
    """One part of a score: weight × value."""

    name: str
    value: float
    weight: float


class SourceRank(Answer):
    """Where a source had the item in its own list, from 1."""

    source: str
    rank: int


class Contribution(Answer):
    """What an item of the history added to the personal score, or to what leads to it."""

    item_id: str
    value: float


class Explanation(Answer):
    """Why an item stands where it stands."""

    personal_score: float
    terms: tuple[BlendTerm, ...]
    sources: tuple[SourceRank, ...]
    rank_by_score: int
    contributions: tuple[Contribution, ...]
    rules: tuple[str, ...]
    comes_after: tuple[Contribution, ...] = ()  # a gateway of an earlier release does not say


class RankedItem(Item):
    """An item with its place in a ranking: the higher the score, the better."""

    score: float
    sources: tuple[str, ...]
    propensity: float
    explanation: Explanation | None


class HistoryItem(Item):
    """An item that the user has seen."""

    event_type: str
    last_event_at: datetime


class Ranking(Answer):
    """Similar, bought together or popular items, best first."""

    artifact_version: str
    items: tuple[RankedItem, ...]


class Arm(Answer):
    """The experiment that the visitor takes part in."""

    name: str
    arm: str


class Recommendations(Ranking):
    """A visitor's ranking; of popular, trending and new items where nothing is known of the visitor."""

    list_id: str
    request_id: str
    user_known: bool
    vector: str
    experiment: Arm | None
    level: str
    degraded: bool


class EventOutcome(Answer):
    """What became of events."""

    accepted: int


class History(Answer):
    """What a user has seen, most recent first; `total` counts the items that are not here too."""

    items: tuple[HistoryItem, ...]
    total: int


class User(Answer):
    """A user that the model knows, with the number of items in the history."""

    user_id: str
    history_size: int


class UserPage(Answer):
    """Users by id."""

    users: tuple[User, ...]


class ItemPage(Answer):
    """One page of a search; `next_cursor` is null on the last one."""

    items: tuple[Item, ...]
    next_cursor: str | None


class Metric(Answer):
    """One figure of the offline evaluation, with its 95 % interval where one was computed."""

    name: str
    value: float
    low: float | None
    high: float | None


class ServiceModel(Answer):
    """What one service holds; `refused` says why the newest published version was not taken."""

    artifact_version: str
    held_versions: tuple[str, ...]
    refused: str | None


class TrainingRun(Answer):
    """What the trainer's gate said of the newest version, live or refused."""

    artifact_version: str
    passed: bool
    reasons: tuple[str, ...]
    users_judged: int | None = None


class Model(Answer):
    """The live model, and by service what it holds."""

    artifact_version: str
    model: str
    dim: int
    user_count: int
    item_count: int
    trained_at: datetime
    metrics: tuple[Metric, ...]
    services: dict[str, ServiceModel]
    last_run: TrainingRun | None = None

    @property
    def refusals(self) -> list[str]:
        """Sentences: a service kept an older version, the last training was refused."""
        sentences = [
            f"{name} refused the newest published version and keeps this one: {service.refused}"
            for name, service in self.services.items()
            if service.refused
        ]
        run = self.last_run
        if run and not run.passed:
            judged = f" It was judged by {run.users_judged:,} users." if run.users_judged is not None else ""
            failed = [each.removeprefix(_FAILED) for each in run.reasons if each.startswith(_FAILED)]
            reasons = "; ".join(failed or run.reasons) or "no reason is recorded"
            still = " It is live all the same." if run.artifact_version == self.artifact_version else ""
            sentences.append(f"The last training, {run.artifact_version}, was refused: {reasons}.{judged}{still}")
        return sentences


class RunBaseline(Answer):
    """What stands beside a run's model in its report."""

    name: str
    metrics: dict[str, float]


class EarnedByList(Answer):
    """What lists earned, or would have earned in another order."""

    order: str
    outcome: str
    value: float
    low: float
    high: float


class Run(Answer):
    """A run of the trainer, and what became of its version."""

    artifact_version: str
    state: str
    trained_at: datetime
    model: str
    user_count: int
    item_count: int
    metrics: dict[str, float]
    baselines: tuple[RunBaseline, ...]
    users_judged: int | None
    refusal: str | None
    forced: bool
    earned: tuple[EarnedByList, ...] = ()  # a gateway of before does not tell
    has_report: bool


class RejectedRows(Answer):
    """Rows of the shop's files that were rejected for one reason."""

    reason: str
    rows: int
    hint: str | None


class FileRows(Answer):
    """What became of the rows of one kind of file."""

    name: str
    read: int
    kept: int
    ignored: int
    rejected: tuple[RejectedRows, ...]


class Reading(Answer):
    """The last reading of the shop's files."""

    read_at: datetime
    files: tuple[FileRows, ...]


class RunList(Answer):
    """Runs, newest first."""

    runs: tuple[Run, ...]
    last_reading: Reading | None = None


class RunReport(Answer):
    """What a run measured, as a page."""

    html: str


class Activated(Answer):
    """A version that is live from now on."""

    artifact_version: str


class DayOfActivity(Answer):
    """What happened on one day, in UTC."""

    date: date
    events: dict[str, int] = {}
    money: float = 0.0
    lists: int = 0
    clicked_lists: int = 0
    levels: dict[str, int] = {}


class Shown(Answer):
    """How the places of some days' lists are spread over items."""

    items: int
    on_sale: int | None
    gini: float
    top_share: float


class Coverage(Answer):
    """How much of the catalogue was shown."""

    catalogue: int | None
    yesterday: Shown
    week: Shown


class KnownEvents(Answer):
    """Events, and how many of them the model can place."""

    events: int
    known: int

    @property
    def share(self) -> float | None:
        """None where there was no event."""
        return self.known / self.events if self.events else None


class Drift(Answer):
    """The last seven days beside what the live model was trained on."""

    version: str
    items: KnownEvents
    purchases: KnownEvents
    users: KnownEvents | None
    types: dict[str, int]
    trained_types: dict[str, int]
    head_items: int | None
    trained_head_share: float | None
    head_share: float | None


class Activity(Answer):
    """What happened in the shop, oldest day first; a day without anything is not there."""

    as_of: datetime | None
    age_s: float | None
    days: tuple[DayOfActivity, ...]
    coverage: Coverage | None = None
    drift: Drift | None = None


class ItemsChanged(Answer):
    """What a change of items did."""

    changed: int


class Blend(Answer):
    """What the parts of a score weigh; null: as the trainer chose."""

    personal: float | None = None
    popularity: float | None = None
    recency: float | None = None
    transitions: float | None = None


class Diversity(Answer):
    """How a list is kept from being all alike."""

    mmr_lambda: float | None = None
    max_per_category: int | None = None


class ExperimentArm(Answer):
    """An arm with the share that it has now, and what it does otherwise than the shop does now."""

    name: str
    share: float
    artifact_version: str | None = None
    blend: Blend | None = None
    candidates: int | None = None
    diversity: Diversity | None = None
    exploration: float | None = None

    def sentence(self) -> str:
        """For people."""
        does = []
        if self.blend is not None:
            weights = self.blend.model_dump(exclude_none=True)
            does.append("score of " + " + ".join(f"{weight:g} {name}" for name, weight in weights.items()))
        if self.diversity is not None and self.diversity.mmr_lambda is not None:
            does.append(f"variety {1 - self.diversity.mmr_lambda:.0%}")
        if self.diversity is not None and self.diversity.max_per_category is not None:
            does.append(f"at most {self.diversity.max_per_category} of a category")
        if self.exploration is not None:
            does.append(f"an item nobody knows yet in {self.exploration:.0%} of lists")
        if self.candidates is not None:
            does.append(f"chosen from {self.candidates:,} items")
        if self.artifact_version is not None:
            does.append(f"model {self.artifact_version}")
        return ", ".join(does) or "as now"


class Experiment(Answer):
    """An experiment as it is now; its first arm is the control."""

    name: str
    state: str
    shipped_arm: str | None
    arms: tuple[ExperimentArm, ...]

    @property
    def is_begun(self) -> bool:
        """Whether anybody may be in an arm, or it is over."""
        return self.state != "running" or any(arm.share for arm in self.arms)


class ExperimentList(Answer):
    """Experiments in the file's order."""

    experiments: tuple[Experiment, ...]


class Interval(Answer):
    """A value and its always-valid 95 % interval; null where there is no unit, or no bound, yet."""

    value: float | None
    low: float | None
    high: float | None


class ArmMetric(Interval):
    """A metric's mean over the people of an arm, and the sum over them."""

    total: float


class ArmReport(Answer):
    """What one arm brought."""

    name: str
    share: float
    is_control: bool
    exposures: int
    units: int
    ctr: float | None
    metrics: dict[str, ArmMetric]


class MetricComparison(Answer):
    """One metric of an arm minus that of the control."""

    metric: str
    difference: Interval
    p_adjusted: float
    verdict: str


class GuardrailCheck(Answer):
    """Whether an arm keeps a limit of the file."""

    guardrail: str
    difference: Interval
    verdict: str


class Comparison(Answer):
    """An arm against the control."""

    arm: str
    metrics: tuple[MetricComparison, ...]
    guardrails: tuple[GuardrailCheck, ...]

    @property
    def has_won(self) -> bool:
        """Better by a metric, worse by none, no guardrail violated."""
        verdicts = {metric.verdict for metric in self.metrics}
        is_kept = all(guardrail.verdict != "violated" for guardrail in self.guardrails)
        return "better" in verdicts and "worse" not in verdicts and is_kept


class SplitCheck(Answer):
    """Whether people came in the ratio of the shares."""

    verdict: str
    reason: str | None  # why it was not checked


class ExperimentReport(Experiment):
    """What an experiment shows so far; it may be read, and acted on, at any time."""

    as_of: datetime | None
    results: tuple[ArmReport, ...]
    comparisons: tuple[Comparison, ...]
    split: SplitCheck

    @property
    def winner(self) -> str | None:
        """The one arm that is better than the control, where the split may be believed."""
        better = [each.arm for each in self.comparisons if each.has_won]
        return better[0] if len(better) == 1 and self.split.verdict != "mismatch" else None


class ExperimentDay(Answer):
    """What an experiment showed when a day, in UTC, had begun."""

    date: date
    comparisons: tuple[Comparison, ...]


class ExperimentCourse(Answer):
    """How an experiment went, oldest day first."""

    days: tuple[ExperimentDay, ...]


class Rule(Answer):
    """What the shop wants seen: a category or an item, and what is done with it."""

    name: str
    category: str | None = None
    item_id: str | None = None
    boost: float | None = None
    pin_position: int | None = None

    def sentence(self, names: Mapping[str, str]) -> str:
        """For people, where `names` are those of items, by id."""
        item_id = self.item_id or ""
        target = f"category {self.category}" if self.category is not None else f"item {names.get(item_id, item_id)}"
        does = f"place {self.pin_position}" if self.pin_position is not None else f"score × {self.boost:g}"
        return f"{target} → {does}"


class Rules(Answer):
    """The rules of every list, in their order."""

    rules: tuple[Rule, ...]
