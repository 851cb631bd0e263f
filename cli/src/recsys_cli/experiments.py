"""`recsys experiments`: list, start, stop, report, and ship the winner."""

from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from recsys.exit_status import Status
from recsys_cli import api
from recsys_cli.outcome import CommandError
from recsys_cli.output import JsonOption, print_json, print_table, shown_text

if TYPE_CHECKING:
    from recsys_client.operations import Call

group = typer.Typer(name="experiments", no_args_is_help=True, help="Experiments: start, stop, report, ship the winner.")

NameArgument = Annotated[str, typer.Argument(help="As the experiments file has it.")]


@group.command("list")
def list_experiments(as_json: JsonOption = False) -> None:
    """The experiments of the file, with the shares and states of now."""
    with api.connected() as client:
        answer = api.asked(client, _call("GET", ""))
    if as_json:
        print_json(answer)
        return
    rows = [(each["name"], each["state"], _shares(each), each["shipped_arm"]) for each in answer["experiments"]]
    print_table(("experiment", "state", "shares", "shipped"), rows)


@group.command()
def start(
    name: NameArgument,
    shares: Annotated[list[str], typer.Argument(metavar="ARM=SHARE...", help="Of all people, such as fresher=0.1.")],
    as_json: JsonOption = False,
) -> None:
    """Give arms of an experiment their shares. In the file they may stand with a share of 0 until then."""
    with api.connected() as client:
        answer = api.asked(client, _call("POST", _path(name, "shares"), {"shares": dict(map(_share, shares))}))
    _print_summary(answer, as_json=as_json)


@group.command()
def stop(name: NameArgument, as_json: JsonOption = False) -> None:
    """Put nobody into the experiment any more, for good; its report stays."""
    with api.connected() as client:
        answer = api.asked(client, _call("POST", _path(name, "stop")))
    _print_summary(answer, as_json=as_json)


@group.command()
def report(name: NameArgument, as_json: JsonOption = False) -> None:
    """What the arms have brought. It may be read, and acted on, at any time."""
    with api.connected() as client:
        answer = api.asked(client, _call("GET", _path(name)))
    if as_json:
        print_json(answer)
        return
    metrics = [metric["name"] for metric in answer["metrics"]]
    columns = ("arm", "share", "lists", "people", *metrics)
    title = f"{name} · {answer['state']} · as of {answer['as_of'] or 'nothing summed yet'}"
    rows = [[*_of_arm(arm), *(_interval(arm["metrics"].get(each)) for each in metrics)] for arm in answer["results"]]
    print_table(columns, rows, title=title)
    typer.echo()
    print_table(
        ("arm", "", "verdict", "difference", "p"), [row for each in answer["comparisons"] for row in _rows(each)]
    )
    split = answer["split"]
    typer.echo(f"\nsplit: {split['verdict']}" + (f": {split['reason']}" if split["reason"] else ""))


@group.command()
def ship(
    name: NameArgument,
    arm: Annotated[str | None, typer.Option(help="The arm; none: the one that the report says is better.")] = None,
    as_json: JsonOption = False,
) -> None:
    """End an experiment, and make an arm's settings everybody's.

    Without --arm it must have won: better than the control by a metric, worse by none, no guardrail violated, the split
    as configured. With --arm control everything goes on as before the experiment.
    """
    with api.connected() as client:
        if arm is None:
            arm = winner(api.asked(client, _call("GET", _path(name))))
        answer = api.asked(client, _call("POST", _path(name, "ship"), {"arm": arm}))
    _print_summary(answer, as_json=as_json)
    version = next(each["artifact_version"] for each in answer["arms"] if each["name"] == arm)
    if version is not None:
        typer.echo(f"the arm has a version of its own: `recsys activate {version}` makes it everybody's", err=True)


def winner(answer: dict[str, Any]) -> str:
    """The arm that an experiment's report says is better. Raises: CommandError, saying what is missing."""
    name = answer["name"]
    if answer["split"]["verdict"] == "mismatch":
        raise CommandError(f"{name}: the split is a mismatch, so no comparison is to be believed", Status.FOUND_WRONG)
    better = [each["arm"] for each in answer["comparisons"] if _has_won(each)]
    if len(better) != 1:
        found = ", ".join(better) or "no arm"
        raise CommandError(
            f"{name}: expected one arm that is better, found {found}; wait, or name the arm (--arm)", Status.FOUND_WRONG
        )
    return str(better[0])


def add_to(app: typer.Typer) -> None:
    """The commands."""
    app.add_typer(group, rich_help_panel="Lists")


def _call(method: str, path: str, body: dict[str, Any] | None = None) -> "Call[Any]":
    from recsys_client.operations import Call

    return Call(method=method, path=f"/v1/experiments{path}", answer=dict, body=body)


def _share(text: str) -> tuple[str, float]:
    arm, _, share = text.partition("=")
    try:
        return arm, float(share)
    except ValueError:
        raise typer.BadParameter(f"expected ARM=SHARE such as fresher=0.1, found {text!r}") from None


def _has_won(comparison: dict[str, Any]) -> bool:
    verdicts = {metric["verdict"] for metric in comparison["metrics"]}
    kept = all(guardrail["verdict"] != "violated" for guardrail in comparison["guardrails"])
    return "better" in verdicts and "worse" not in verdicts and kept


def _print_summary(answer: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    shipped = f"; shipped: {answer['shipped_arm']}" if answer["shipped_arm"] else ""
    typer.echo(f"{answer['name']}: {answer['state']}; {_shares(answer)}{shipped}")


def _shares(summary: dict[str, Any]) -> str:
    return ", ".join(f"{arm['name']} {arm['share']:g}" for arm in summary["arms"])


def _of_arm(arm: dict[str, Any]) -> tuple[object, ...]:
    return arm["name"], f"{arm['share']:g}", f"{arm['exposures']:,}", f"{arm['units']:,}"


def _interval(found: dict[str, Any] | None) -> str:
    if found is None or found["value"] is None:
        return ""
    bounds = "" if found["low"] is None else f" [{shown_text(found['low'])}, {shown_text(found['high'])}]"
    return f"{shown_text(found['value'])}{bounds}"


def _rows(comparison: dict[str, Any]) -> list[tuple[object, ...]]:
    arm = comparison["arm"]
    metrics = [
        (arm, each["metric"], each["verdict"], _interval(each["difference"]), f"{each['p_adjusted']:.3g}")
        for each in comparison["metrics"]
    ]
    guardrails = [
        (arm, f"guardrail {each['guardrail']}", each["verdict"], _interval(each["difference"]), "")
        for each in comparison["guardrails"]
    ]
    return [*metrics, *guardrails]


def _path(name: str, action: str = "") -> str:
    return f"/{quote(name, safe='')}" + (f"/{action}" if action else "")
