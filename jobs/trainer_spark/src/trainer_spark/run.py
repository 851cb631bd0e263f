"""Events and a judgement in, a published version out: everything is learnt from, and users go out in parts."""

from dataclasses import dataclass
from typing import Final

import faiss
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as fn
from pyspark.storagelevel import StorageLevel

from recsys.artifact import runs
from recsys.artifact.manifest import BlendInfo, Manifest, TrainingInfo
from recsys.errors import DataError
from trainer import pipeline
from trainer.choosing.recipe import ALSRecipe
from trainer.models.embeddings import Embeddings
from trainer.outcome import Outcome
from trainer.progress import step
from trainer.publishing import going_live, index, publish, store
from trainer.publishing.index import BuiltIndex
from trainer.publishing.publish import ManyUsers
from trainer.settings import Settings
from trainer.shop_data.interactions import Interactions
from trainer_spark import factors, gate, histories, model, statistics, user_stream
from trainer_spark.gate import Judgement
from trainer_spark.histories import Terms
from trainer_spark.model import Fitted
from trainer_spark.reading import Events
from trainer_spark.statistics import Statistics

_INDEX_USERS: Final = 1_000  # of whom the recall of an index is measured by some


@dataclass(frozen=True)
class _Everything:
    """What was learnt from all events."""

    users: DataFrame  # histories with `user`, in order of user id
    known: Statistics
    first_seen: NDArray[np.int64]  # [n_items]
    fitted: Fitted


@dataclass(frozen=True)
class Run:
    """The second half of a training."""

    settings: Settings
    recipe: ALSRecipe
    events: Events
    terms: Terms

    def finish(
        self, judgement: Judgement | None, *, judged_users: int, live: Manifest | None, force: bool
    ) -> Outcome[Judgement]:
        """Fit on everything, publish, and go live where the gate lets it.

        Raises:
            DataError: no interaction is left to learn from.
        """
        settings, recipe, volume = self.settings, self.recipe, self.settings.artifact_dir
        everything = self._fit()
        with step("index"):
            some = _some_users(everything, self.terms, seed=settings.seed)
            embeddings = Embeddings(some, everything.fitted.published_items)
            retrieval = index.choose(embeddings, recall_floor=settings.ann_recall_floor, seed=settings.seed)
            similar = index.build_similar(embeddings.item, seed=settings.seed)
        verdict = gate.verdict(
            recipe, judgement, judged_users=judged_users, ann_recall=retrieval.recall, live=live, settings=settings
        )
        with step("solve users"):
            many = user_stream.many_users(everything.users, everything.fitted.solver, everything.known, self.terms)
        training = publish.training_info(
            recipe,
            verdict,
            event_weights=self.terms.weights,
            data_until=None if self.events.last is None else str(self.events.last),
            recent_events=self.events.recent_types(days=settings.recent_days),
            force=force,
            settings=settings,
        )
        with step("publish"):
            contents = self._contents(everything, many, retrieval, similar, judgement, training)
            version = publish.publish(volume, contents)
            runs.note(volume, version)
        goes_live = verdict.passed or force
        with step("activate"):
            going_live.bring(settings, version, live=goes_live)
            store.publish_run(settings, version)
        return Outcome(version, recipe, judgement, verdict, activated=goes_live)

    def _fit(self) -> _Everything:
        n_items = self.terms.n_items
        with step("weigh"):
            weighed = histories.of_events(self.events.frame, self.terms, count=self.events.count)
            users = _sorted(weighed)
            known = statistics.of(users, n_items=n_items, recent_days=self.settings.recent_days)
            if known.pairs == 0:
                raise DataError("expected events to learn from, found none after checks and removals")
            first_seen = histories.first_seen(weighed, n_items=n_items)
        users = histories.numbered(users)
        with step("fit on everything"):
            fitted = model.fit(users, known, self.recipe, seed=self.settings.seed)
        return _Everything(users, known, first_seen, fitted)

    def _contents(
        self,
        everything: _Everything,
        many: ManyUsers,
        retrieval: BuiltIndex,
        similar: faiss.Index,
        judgement: Judgement | None,
        training: TrainingInfo,
    ) -> publish.Fitted:
        items = everything.fitted.published_items
        return publish.Fitted(
            known=_items_alone(self.terms, everything.first_seen),
            catalogue=self.events.catalogue,
            embeddings=Embeddings(np.empty((0, items.shape[1]), np.float32), items),
            fold_in=everything.fitted.fold_in,
            transitions=None,
            retrieval=retrieval,
            similar=similar,
            popularity=everything.known.recent_users,
            blend=BlendInfo(),
            stream_sequence=0,
            model=self.recipe.model,
            metrics=pipeline.metric_values(judgement.new, seed=self.settings.seed) if judgement else {},
            training=training,
            many_users=many,
            libraries=(*publish.LIBRARIES, "pyspark"),
        )


def _sorted(weighed: DataFrame) -> DataFrame:
    """The rows of users in order of their ids, kept on the workers' disks."""
    users = histories.users_of(weighed)
    by_id = users.repartitionByRange(weighed.rdd.getNumPartitions(), "user_id").sortWithinPartitions("user_id")
    return by_id.persist(StorageLevel.DISK_ONLY)


def _some_users(everything: _Everything, terms: Terms, *, seed: int) -> NDArray[np.float32]:
    count = everything.known.users
    drawn = np.random.default_rng(seed).choice(count, size=min(_INDEX_USERS, count), replace=False)
    some = everything.users.where(fn.col("user").isin(drawn.tolist())).repartition(1).sortWithinPartitions("user")
    return factors.vectors_of(some, everything.fitted.solver, event_types=terms.event_types)


def _items_alone(terms: Terms, first_seen: NDArray[np.int64]) -> Interactions:
    """What is known of items, without a user."""
    return Interactions(
        user_ids=[],
        item_ids=terms.item_ids.value.to_pylist(),
        weights=sp.csr_matrix(np.empty((0, len(first_seen)), np.float32)),
        last_seen=np.empty(0, np.int64),
        last_type=np.empty(0, np.uint8),
        type_sets=np.empty(0, np.uint32),
        first_seen=first_seen,
        event_types=terms.event_types,
    )
