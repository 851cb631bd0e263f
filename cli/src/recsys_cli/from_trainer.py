"""Commands of the trainer under their own names: its options, help and completion, loaded when they are used."""

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

IMPORTS: Final = MappingProxyType(
    {
        "gorse": (
            "Bring what a Gorse has of a shop over, as files that train, demo and the clients read; say what stayed"
            " behind."
        )
    }
)
"""Of `recsys import`: the trainer's `import-…`."""


class TrainerCommand(TyperCommand):
    """Stands for a command of `python -m trainer` until it is used."""

    @property
    def trainers_name(self) -> str:
        """What the trainer calls it."""
        return f"import-{self.name}" if self.name in IMPORTS else str(self.name)

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:  # a context of typer, which does not name its type
        """Of the trainer's command, which takes it from here."""
        from recsys.observability import logging as recsys_logging

        recsys_logging.configure(service="trainer", level="INFO")
        return _loaded(self.trainers_name).make_context(info_name, args, parent=parent, **extra)


def add_to(app: typer.Typer) -> None:
    """List the trainer's commands in an application."""
    for name, summary in SUMMARIES.items():
        app.command(name, cls=TrainerCommand, help=summary, rich_help_panel="Models")(lambda: None)
    imports = typer.Typer(name="import", no_args_is_help=True, help="What another system has of a shop, as files.")

    @imports.callback()
    def group() -> None:
        """A group, also of one command."""

    for name, summary in IMPORTS.items():
        imports.command(name, cls=TrainerCommand, help=summary)(lambda: None)
    app.add_typer(imports, rich_help_panel="Shop")


def _loaded(name: str) -> Any:
    from typer.main import get_group

    import trainer.__main__

    return get_group(trainer.__main__.app).commands[name]
