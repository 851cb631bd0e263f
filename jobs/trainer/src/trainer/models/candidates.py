"""The recipes that are tried on a held-out window when none is given: few, and right for shops of this size."""

from trainer.models.als import ALSSettings
from trainer.recipe import ALSRecipe, Recipe


def default_candidates(n_users: int, n_items: int, n_pairs: int) -> list[Recipe]:
    """Small dense shops want few dimensions and a mild alpha, large sparse ones many and a strong one."""
    dims = (32, 64) if min(n_users, n_items) < 10_000 else (64, 256)
    return [ALSRecipe(settings=ALSSettings(dim=dim, alpha=alpha)) for dim in dims for alpha in (0.3, 1.0, 5.0)]
