"""Recall@20 and NDCG@20 of the lists that the API serves, beside popularity and the trainer's own figure.

    .venv/bin/python -m benchmarks.served_recall [--events FILE --mapping FILE]

Trains on a shop's events (without files: the demo shop) up to a cut, `TRAINER_HORIZON_DAYS` before the last event;
serves the version with the real processes; asks REST for the list of every user of before the cut who has items new to
them after it; and prints one table. "offline" is the same recipe fitted again and ranked exactly by the trainer, with
the blend that the version is served with: its lists must be those served, item for item.
"""

import argparse
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import httpx
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.shop_source import Source
from recsys.artifact.manifest import Manifest
from tools.local_stack import PYTHON, LocalStack, Ports
from trainer import pipeline
from trainer.choosing import blending
from trainer.choosing import recipe as recipes
from trainer.choosing.blending import Blend, Blended
from trainer.evaluation import bootstrap, metrics, split
from trainer.evaluation.full_ranking import Evaluation, evaluate, find_hits
from trainer.evaluation.split import Split
from trainer.models.baselines import popularity
from trainer.models.embeddings import Embeddings, Scorer
from trainer.models.transitions import TransitionScores
from trainer.settings import Settings
from trainer.shop_data import interactions
from trainer.shop_data.shop import Shop

K = 20
METRICS = (f"recall@{K}", f"ndcg@{K}")
REQUESTS_AT_ONCE = 8
_STANDARD_ERROR = 2  # standard output is for the table
MOST_POPULAR = 100  # as many as the API gives

Figures = dict[str, NDArray[np.float64]]  # metric → [judged users]


@dataclass(frozen=True)
class Lists:
    """Ranked lists of the judged users, and what they are worth."""

    rows: NDArray[np.int32]  # [judged users, K] columns of the split; -1: no item, or one that it lacks
    per_user: Figures

    @classmethod
    def of(cls, judged: Evaluation) -> "Lists":
        """The lists that the trainer ranked."""
        return cls(judged.ranked, {metric: judged.per_user[metric] for metric in METRICS})


@dataclass(frozen=True)
class OnSale(Embeddings):
    """A model that recommends only what the shop sells: so does the API."""

    available: NDArray[np.bool_]  # [n_items]

    def scores(self, user_rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The model's scores, -inf for items not on sale: float32 [len(user_rows), n_items]."""
        scores = self.user[user_rows] @ self.item.T
        scores[:, ~self.available] = -np.inf
        return scores


@dataclass(frozen=True)
class NextOnSale(TransitionScores):
    """What leads to what the shop sells."""

    available: NDArray[np.bool_]  # [n_items]

    def scores(self, user_rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32 [len(user_rows), n_items], -inf for what nothing leads to and for items not on sale."""
        scores = super().scores(user_rows)
        scores[:, ~self.available] = -np.inf
        return scores


def only_on_sale(scorer: Blended, available: NDArray[np.bool_]) -> Blended:
    """Whose other candidates are on sale too: by transitions, and what is popular while anything sold is."""
    following = scorer.transitions
    return replace(
        scorer,
        recent_users=np.where(available, scorer.recent_users, np.float32(0)),
        transitions=following and NextOnSale(following.transitions, following.last, available),
    )


@dataclass(frozen=True)
class Comparison:
    """The table, and how far the served lists are the trainer's own."""

    version: str
    recipe: str
    blend: Blend
    cut: datetime
    served: Lists
    offline: Lists
    served_popular: Lists  # the API's popular items without the user's own: may be shorter than K
    offline_popular: Lists  # the full ranking by the same counts
    same_list: NDArray[np.bool_]  # [judged users] served and offline agree in every place
    score_gap: float  # largest difference of the offline scores of served and offline lists, place by place

    def render(self) -> str:
        """The table as text."""
        rows = {
            "served over REST": self.served,
            "offline, same recipe": self.offline,
            "popular, over REST": self.served_popular,
            "popular, offline": self.offline_popular,
        }
        lines = [
            f"version {self.version}, cut {self.cut:%Y-%m-%d %H:%M:%S} UTC, {len(self.same_list):,} users",
            f"recipe {self.recipe}",
            f"blend {self.blend}",
            f"{'':22}" + "".join(f"{metric:>28}" for metric in METRICS),
        ]
        for name, lists in rows.items():
            spans = bootstrap.intervals(lists.per_user)
            cells = (f"{spans[m].value:10.4f} [{spans[m].low:.4f}, {spans[m].high:.4f}]" for m in METRICS)
            lines.append(f"{name:22}" + "".join(f"{cell:>28}" for cell in cells))
        gain = bootstrap.paired(self.served.per_user[METRICS[0]], self.served_popular.per_user[METRICS[0]])
        ratio = self.ratio_to_popularity()
        return "\n".join(
            [
                *lines,
                f"served over popular: {ratio:.2f} × the recall, {gain.value:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]",
                f"served list is the offline list, item for item: {self.same_list.mean():.2%} of users; "
                f"largest difference of scores in the others {self.score_gap:.1e}",
            ]
        )

    def ratio_to_popularity(self) -> float:
        """Served recall over the recall of popular items (the better of its two lists)."""
        metric = METRICS[0]
        popular = max(lists.per_user[metric].mean() for lists in (self.served_popular, self.offline_popular))
        return float(self.served.per_user[metric].mean() / popular)


def compare(source: Source, folder: Path) -> Comparison:
    """Train, serve, ask and judge. `folder` takes the volume and the logs."""
    settings = Settings(artifact_dir=folder / "volume")
    shop = source.read(folder)
    cut = last_cut(shop, horizon_days=settings.horizon_days)
    window = split.temporal(shop.events, weights=shop.weights, cut=cut, horizon_days=settings.horizon_days)
    train(source, cut=cut, volume=settings.artifact_dir)
    live = pipeline.live_manifest(settings.artifact_dir)
    if live is None:
        raise RuntimeError(f"{settings.artifact_dir}: expected a live version after training, found none")
    known = pipeline.before(shop, cut)
    fitted = fit_again(live, known, window, settings=settings)
    recent = window.train.recent_users(recipes.recent_since(window.train, settings.recent_days))
    available = on_sale(shop, window)
    popular = popularity(recent, n_users=len(window.train.user_ids))
    sold = OnSale(fitted.user, fitted.item, available)  # first what is on sale, then the blend of what is best there
    blend = Blend.of(live, settings.artifact_dir, catalogue=shop.catalogue)
    scorer = blending.scorer(sold, window.train, blend, recent_days=settings.recent_days)
    if isinstance(scorer, Blended):
        scorer = only_on_sale(scorer, available)
    offline = evaluate(scorer, window, ks=(K,))
    offline_popular = evaluate(OnSale(popular.user, popular.item, available), window, ks=(K,))
    served_ids, popular_ids = ask(settings.artifact_dir, window, offline.user_rows, folder=folder)
    served = judge(served_ids, window, offline)
    same_list = (served.rows == offline.ranked).all(axis=1)
    return Comparison(
        version=live.version,
        recipe=str(live.training.recipe),
        blend=blend,
        cut=cut,
        served=served,
        offline=Lists.of(offline),
        served_popular=judge(unseen(popular_ids, window, offline.user_rows), window, offline),
        offline_popular=Lists.of(offline_popular),
        same_list=same_list,
        score_gap=score_gap(scorer, offline.user_rows[~same_list], served.rows[~same_list], offline.ranked[~same_list]),
    )


def last_cut(shop: Shop, *, horizon_days: float) -> datetime:
    """The moment, in whole seconds, from which the last window runs to the last event."""
    last = shop.events["timestamp"].max()
    if not isinstance(last, datetime):
        raise RuntimeError("expected events to train on, found none")
    return last.replace(microsecond=0) + timedelta(seconds=1) - timedelta(days=horizon_days)


def train(source: Source, *, cut: datetime, volume: Path) -> None:
    """The command that a shop runs, as a process of its own."""
    until = f"{cut:%Y-%m-%dT%H:%M:%S}"
    options = [*source.options(), "--until", until, "--artifact-dir", str(volume)]
    subprocess.run([PYTHON, "-m", "trainer", "train", *options], check=True, stdout=_STANDARD_ERROR)


def fit_again(live: Manifest, known: Shop, window: Split, *, settings: Settings) -> Embeddings:
    """The live version's recipe fitted on the same events, with the items that the split has."""
    built = interactions.build(known.events, weights=known.weights, catalogue_items=known.catalogue["item_id"])
    recipe = recipes.parse(live.training.recipe, where=live.version)
    with threadpool_limits(settings.threads or None):
        fitted = recipes.fit(recipe, built, recent_days=settings.recent_days, seed=settings.seed)
    column_of = {item_id: column for column, item_id in enumerate(built.item_ids)}
    return Embeddings(fitted.user, fitted.item[[column_of[item_id] for item_id in window.train.item_ids]])


def on_sale(shop: Shop, window: Split) -> NDArray[np.bool_]:
    """bool [n_items of the split]."""
    withdrawn = set(shop.catalogue.filter(~shop.catalogue["available"])["item_id"])
    return np.array([item_id not in withdrawn for item_id in window.train.item_ids])


def ask(
    volume: Path, window: Split, user_rows: NDArray[np.int64], *, folder: Path
) -> tuple[list[list[str]], list[str]]:
    """Start the services; the served list of each of the users, and the popular items."""
    # what counts here is what is answered, not how soon: this machine may be busy; and nothing that chance put there
    settings = {"GATEWAY_TIMEOUT_S": "30", "GATEWAY_EXPLORATION": "0"}
    with (
        LocalStack(volume, ports=Ports.free(), log_dir=folder / "logs", environment=settings) as stack,
        httpx.Client(base_url=stack.gateway_url, timeout=60) as client,
        ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool,
    ):
        paths = [f"/v1/users/{quote(window.train.user_ids[row], safe='')}/recommendations" for row in user_rows]
        served = list(pool.map(lambda path: item_ids(client, path, count=K), paths))
        return served, item_ids(client, "/v1/items/popular", count=MOST_POPULAR)


def item_ids(client: httpx.Client, path: str, *, count: int) -> list[str]:
    """The ids of a list that the API serves."""
    response = client.get(path, params={"count": count})
    response.raise_for_status()
    return [item["item_id"] for item in response.json()["items"]]


def unseen(popular_ids: list[str], window: Split, user_rows: NDArray[np.int64]) -> list[list[str]]:
    """The first K popular items that each user did not have in train."""
    lists = []
    for row in user_rows:
        seen = {window.train.item_ids[column] for column in window.train.weights[row].indices}
        lists.append([item_id for item_id in popular_ids if item_id not in seen][:K])
    return lists


def judge(lists: Sequence[Sequence[str]], window: Split, judged: Evaluation) -> Lists:
    """Lists of ids of the judged users against what they went on to take."""
    column_of = {item_id: column for column, item_id in enumerate(window.train.item_ids)}
    rows = np.full((len(lists), K), -1, dtype=np.int32)
    for row, ids in zip(rows, lists, strict=True):
        row[: len(ids)] = [column_of.get(item_id, -1) for item_id in ids]
    hits = find_hits(rows, window.test[judged.user_rows])
    figures = (metrics.recall(hits, judged.relevant, K), metrics.ndcg(hits, judged.relevant, K))
    return Lists(rows, dict(zip(METRICS, figures, strict=True)))


def score_gap(
    scorer: Scorer, user_rows: NDArray[np.int64], served: NDArray[np.int32], offline: NDArray[np.int32]
) -> float:
    """How far apart two sets of lists are by the offline scores, place by place; 0 if they differ in ties only.

    Infinite where an item was served that offline is no candidate.
    """
    scores = scorer.scores(user_rows).astype(np.float64)
    of_served, of_offline = (np.take_along_axis(scores, rows, axis=1) for rows in (served, offline))
    is_ranked = offline >= 0
    return float(np.abs(of_served[is_ranked] - of_offline[is_ranked]).max(initial=0.0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("events", "mapping", "catalogue"):
        parser.add_argument(f"--{name}", type=Path)
    source = Source(**vars(parser.parse_args()))
    with tempfile.TemporaryDirectory() as folder:
        print(compare(source, Path(folder)).render())


if __name__ == "__main__":
    main()
