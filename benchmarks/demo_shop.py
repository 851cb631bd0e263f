"""How hard the demo shop is to predict: baselines and the default candidates on its last 30 days."""

from benchmarks.quality import baselines, fitted, judged
from trainer import demo_shop, split
from trainer.mapping import Mapping
from trainer.models.candidates import default_candidates


def main() -> None:
    """Print the table."""
    frame, _ = demo_shop.generate()
    window = split.rolling(frame, weights=Mapping().event_weights, windows=1)[0]
    print("| model | dim | Recall@20 | NDCG@20 | fit |\n|---|---|---|---|---|")
    for name, fit in baselines(window, recent_days=30):
        judged(name, None, window, fit)
    for recipe in default_candidates(len(window.train.user_ids), len(window.train.item_ids)):
        judged(recipe.model, recipe.settings.dim, window, fitted(recipe, window))
        recent = recipe.model_copy(update={"recency_strength": 1.0})
        judged(f"{recipe.model} × recency", recipe.settings.dim, window, fitted(recent, window))


if __name__ == "__main__":
    main()
