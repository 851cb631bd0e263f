"""`recsys erase`: forget a user, and say how far that has come."""

from typing import Annotated

import typer

from recsys_cli import api
from recsys_cli.outcome import CommandError
from recsys_cli.output import JsonOption, print_json, print_table


def erase(
    user_id: Annotated[str, typer.Argument(help="Of the user to be forgotten.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    report: Annotated[bool, typer.Option(help="Only say how far an erasure has come.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Forget a user: gone from lists, history and log now; the lake and the models follow."""
    from recsys_client import operations

    if not report and not yes:
        _confirm(user_id)
    with api.connected() as client:
        answer = api.asked(client, operations.get_erasure(user_id) if report else operations.erase_user(user_id))
    if as_json:
        print_json(answer)
    else:
        print_table(("", ""), answer.items())


def _confirm(user_id: str) -> None:
    """Ask the person at the terminal. Raises: CommandError, where nobody says yes."""
    try:
        typer.confirm(f"forget all that is known of {user_id!r}? It cannot be undone", abort=True, err=True)
    except typer.Abort:
        raise CommandError("nothing was erased; --yes does not ask") from None


def add_to(app: typer.Typer) -> None:
    """The command."""
    app.command(rich_help_panel="Shop")(erase)
