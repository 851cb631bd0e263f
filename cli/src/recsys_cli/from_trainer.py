"""Commands of the trainer under their own names: its options, help and completion, loaded when they are used."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any, Final

import typer
from typer.core import TyperCommand

SUMMARIES: Final = MappingProxyType(
    {
        "validate": "Read and check a shop's files, and report what would be kept and what rejected, and why.",
        "train": "Train a model and publish it; it goes live if the gate lets it.",
        "tune": (
            "Search hyper-parameters on held-out time windows before the newest one, which stays unseen for judging."
        ),
        "evaluate": "Print a table of baselines and models on held-out data. Publishes nothing.",
        "versions": "List the versions and refusals, all runs with their figures, and what each version has brought.",
        "activate": "Make a kept version the live one: roll back, or put a refused version live.",
    }
)
"""As the trainer has them (a test holds both together): to list them must not import what learns."""


class TrainerCommand(TyperCommand):
    """Stands for a command of `python -m trainer` until it is used."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:  # a context of typer, which does not name its type
        """Of the trainer's command, which takes it from here."""
        from recsys.observability import logging as recsys_logging

        recsys_logging.configure(service="trainer", level="INFO")
        return _loaded(str(self.name)).make_context(info_name, args, parent=parent, **extra)


def add_to(app: typer.Typer, names: Sequence[str] = tuple(SUMMARIES)) -> None:
    """List the trainer's commands in an application."""
    for name in names:
        app.command(name, cls=TrainerCommand, help=SUMMARIES[name], rich_help_panel="Models")(lambda: None)


def _loaded(name: str) -> Any:
    from typer.main import get_command

    import trainer.__main__

    return get_command(trainer.__main__.app).commands[name]  # type: ignore[attr-defined] # it is a group
