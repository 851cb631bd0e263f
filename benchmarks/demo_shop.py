"""How hard the demo shop is to predict: baselines and the default candidates on its last 30 days."""

from trainer.choosing.default_recipes import default_recipes
from trainer.evaluation.windows import rolling
from trainer.report import table
from trainer.shop_data import demo_shop
from trainer.shop_data.mapping import ColumnMapping


def main() -> None:
    """Print the table."""
    frame, _ = demo_shop.generate()
    window = rolling(frame, weights=ColumnMapping().event_weights, windows=1)[0]
    print(table.HEADER)
    for row in table.of_baselines(window, recent_days=30):
        print(row.line(), flush=True)
    for recipe in default_recipes(window.train):
        for one in (recipe, recipe.model_copy(update={"recency_strength": 1.0})):
            print(table.of_recipe(one, window, recent_days=30).line(), flush=True)


if __name__ == "__main__":
    main()
