"""Engines beside this machine: packages that are installed beside the trainer, and say so by an entry point.

The group is `trainer.engines`; what it names is called without arguments and gives an `Engine`.
"""

from collections.abc import Iterator
from datetime import datetime
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final, Literal, Protocol, cast

from recsys.errors import InvalidArgumentError
from trainer.settings import Settings, ShopFiles

if TYPE_CHECKING:  # takes seconds to import
    from trainer.choosing.recipe import Recipe
    from trainer.outcome import Judgement, Outcome
    from trainer.report.table import Told

EngineName = Literal["local", "spark"]
GROUP: Final = "trainer.engines"


class Engine(Protocol):
    """Where models are fitted and judged, if not here."""

    def train(
        self,
        files: ShopFiles,
        settings: Settings,
        recipe: "Recipe | None",
        *,
        master: str,
        before: datetime | None,
        force: bool,
    ) -> "Outcome[Judgement]":
        """Train and publish, as `pipeline.train`."""
        ...

    def evaluate(
        self, files: ShopFiles, settings: Settings, recipe: "Recipe | None", *, master: str, windows: int
    ) -> Iterator["Told"]:
        """Tables, as `table.tables`."""
        ...


def load(name: EngineName) -> Engine:
    """An engine beside this machine. Raises: InvalidArgumentError, where it is not installed."""
    for point in entry_points(group=GROUP, name=name):
        return cast("Engine", point.load()())
    raise InvalidArgumentError(
        f"--engine {name}: expected the package trainer-{name} beside the trainer, found none; "
        f"pip install ./jobs/trainer_{name} with its pins in requirements/{name}.txt, or use its image (docs/scale.md)"
    )
