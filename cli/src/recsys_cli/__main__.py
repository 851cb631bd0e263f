"""`recsys`: its commands put together, and how what goes wrong is told."""

from typing import Annotated, Final

import typer

from recsys.exit_status import end, ended_by_a_sentence
from recsys_cli import __version__, erasing, events, experiments, from_trainer, items, lists
from recsys_cli.backup import commands as backup
from recsys_cli.doctor import commands as doctor
from recsys_cli.outcome import CommandError

_HELP: Final = """
One command for a shop's models, lists, events and experiments, for backups, and for what is wrong.

RECSYS_URL says where the API is (http://127.0.0.1:8000), RECSYS_API_KEY holds its key.

Exit status: 0 done, 1 a check found something to mend, 2 it cannot be done, 3 refused by the gate, 4 not found, 5 no
answer: try again, 6 no access.
"""

app = typer.Typer(name="recsys", no_args_is_help=True, pretty_exceptions_enable=False)
from_trainer.add_to(app)


def _tell_release(is_asked: bool) -> None:
    if is_asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback(help=_HELP)
def about(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_release, is_eager=True, help="Say which release this is.")
    ] = False,
) -> None:
    """Of the command itself; help shows `_HELP`."""


for commands in (lists, events, items, erasing, experiments, backup, doctor):
    commands.add_to(app)


def main() -> None:
    """Run a command; what is foreseen to go wrong is a sentence and an exit status, never a traceback."""
    with ended_by_a_sentence():
        try:
            app()
        except CommandError as error:
            end(str(error), error.status)


if __name__ == "__main__":
    main()
