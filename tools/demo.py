"""The demo: trains where there is no model yet, and serves it as local processes, which learn from what comes in.

Run by `make demo` and `make train`.

In: `python -m tools.demo run|train [--events FILE --mapping FILE [--catalogue FILE]] [--shop NAME]`; without files,
the generated shop, or with `--empty` one without history. Out: the addresses on the terminal, models in
`.demo/volumes/NAME`, logs in `.demo/logs/NAME`.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated, Literal

import typer
from typer import Option

from tools.demo_volume import DEMO, EMPTY_SHOP, Shop, files_of, shop_name
from tools.local_stack import PYTHON, ROOT, LocalStack, Ports, StackError

RETRAIN = ["--every", "10m", "--min-new-events", "20"]  # if so many came in
CONFIGURATION = {
    "GATEWAY_RULES_FILE": ROOT / "config/rules.yaml",
    "GATEWAY_EXPERIMENTS_FILE": ROOT / "config/experiments.yaml",
}
REFUSED = 3  # the trainer's exit status when the gate lets a model not go live
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def train(shop: Shop, *, if_needed: bool, force: bool) -> None:
    """Trains the shop; with `if_needed` only where no version is live or its files have changed. Raises StackError.

    What the shop learnt of the API stays: the trainer reads the lake of the volume beside the files.
    """
    files, has_changed, is_live = shop.files(), shop.has_changed(), (shop.volume / "CURRENT").exists()
    if if_needed and has_changed and is_live:
        print(f"the files of {shop.name} have changed: training again", flush=True)
    how = [*(["--if-empty"] if if_needed and not has_changed else []), *(["--force"] if force else [])]
    command = [str(PYTHON), "-m", "trainer", "train", *options(shop), "--artifact-dir", str(shop.volume), *how]
    status = subprocess.run(command, check=False).returncode
    if status == 0 or (status == REFUSED and is_live):
        shop.note_learnt(files)
    if status == REFUSED and is_live and if_needed:
        print("the new version was refused: the one before goes on serving; FORCE=1 overrules it", flush=True)
    elif status != 0:
        refused = "; FORCE=1 serves the model all the same" if status == REFUSED else ""
        raise StackError(f"training ended with status {status}{refused}")


def options(shop: Shop) -> list[str]:
    """The shop's files as the trainer's command line takes them."""
    named = [word for name, path in shop.data.items() for word in (f"--{name}", str(path))]
    return [*named, *(["--empty"] if shop.starts_empty else [])]


def serve(shop: Shop) -> None:
    """Serves the shop until interrupted, and trains again on what comes in. Raises StackError when a process dies."""
    jobs = {"event_sink": [], "trainer": ["schedule", *RETRAIN, *options(shop)]}
    logs = shop.new_log_dir()
    environment = {name: str(path) for name, path in CONFIGURATION.items() if name not in os.environ}
    if "mapping" in shop.data:  # the gateway knows the types that the trainer learns from
        environment["GATEWAY_MAPPING_FILE"] = str(shop.data["mapping"])
    if not shop.data:
        environment["UI_COUNT_CLICKS"] = os.environ.get("UI_COUNT_CLICKS", "true")
    print(f"starting candidate_gen, reranker, gateway, ui, {', '.join(jobs)}", flush=True)
    ports = Ports.from_environment()
    with LocalStack(shop.volume, ports=ports, with_ui=True, jobs=jobs, log_dir=logs, environment=environment) as stack:
        apis = f"{stack.gateway_url}/docs\n  gRPC  127.0.0.1:{ports.gateway_grpc}"
        print(f"\n  page  {stack.ui_url}\n  API   {apis}\n  shop  {shop.volume}\n  logs  {logs}")
        print(f"\n  {access()}\n  Ctrl-C stops everything.", flush=True)
        stack.watch()


def shop_of(data: dict[str, Path], *, name: str | None, root: Path, starts_empty: bool = False) -> Shop:
    """The shop of these files. Raises StackError where they are none, or the name is another shop's."""
    if data.keys() == {"mapping"} and not starts_empty:
        raise StackError("MAPPING without EVENTS: name the file of events too; or EMPTY=1, a shop without history")
    for path in data.values():
        files_of(path)
    named = shop_name(
        data.get("events", data.get("catalogue")), name or (EMPTY_SHOP if starts_empty and not data else None)
    )
    shop = Shop(name=named, data=data, root=root, starts_empty=starts_empty)
    shop.check_source(is_name_given=name is not None)
    if not shop.volume.exists() and (older := shop.older_volumes()):
        print(f"volumes of an earlier release: {', '.join(older)}; to go on with one: SHOP={older[-1]}", flush=True)
    return shop


def access() -> str:
    """Who may use the demo."""
    if os.environ.get("GATEWAY_API_KEYS_FILE"):
        return "The API asks for a key; the page sends UI_API_KEY."
    return "OPEN: whoever reaches 127.0.0.1 may use all of the API. With keys: GATEWAY_API_KEYS_FILE, UI_API_KEY."


def interrupt(_number: int, _frame: FrameType | None) -> None:
    """A closed terminal or a `kill` stops the system as Ctrl-C does; a second signal while stopping changes nothing."""
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main(
    command: Literal["run", "train"],
    events: Path | None = None,
    mapping: Path | None = None,
    catalogue: Path | None = None,
    shop: Annotated[str | None, Option(help="name of the volume; else that of the events file or folder")] = None,
    root: Annotated[Path, Option(help="where volumes and logs are")] = DEMO,
    force: Annotated[bool, Option("--force", help="serve the model whatever the gate says")] = False,
    empty: Annotated[bool, Option("--empty", help="a shop without history, where no events are named")] = False,
) -> None:
    """Serve or train a shop. Exit status 0 after Ctrl-C, 1 with a message on standard error where that cannot be."""
    for number in STOPPING:
        signal.signal(number, interrupt)
    files = {"events": events, "mapping": mapping, "catalogue": catalogue}
    try:
        named = {option: path for option, path in files.items() if path is not None}
        served = shop_of(named, name=shop, root=root, starts_empty=empty)
        if not served.data:  # the generated shop, where a learned ranker wins (docs/evaluation.md)
            os.environ.setdefault("TRAINER_LEARNED_RANKER", "true")
        if command == "train":
            train(served, if_needed=False, force=force)
        else:
            Ports.from_environment().check()
            with served.locked():
                train(served, if_needed=True, force=force)
                serve(served)
    except StackError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("stopped")


if __name__ == "__main__":
    typer.run(main)
