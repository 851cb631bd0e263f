"""The demo: trains where there is no model yet, and serves it as local processes, which learn from what comes in.

Run by `make demo` and `make train`.

In: `python -m tools.demo run|train [--events FILE --mapping FILE [--catalogue FILE]]`; without files, the demo shop.
Out: the addresses on the terminal, models in `.demo/volumes/` (one volume a data source), logs in `.demo/logs/`.
"""

import argparse
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

from tools.local_stack import PYTHON, ROOT, LocalStack, Ports, StackError

DEMO = ROOT / ".demo"
RETRAIN = ["--every", "10m", "--min-new-events", "20"]  # if so many came in
REFUSED = 3  # the trainer's exit status when the gate lets a model not go live
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def files_of(path: Path) -> list[Path]:
    """The files that a path stands for: itself, those in a folder, or those that match a pattern. Raises StackError."""
    files = [path] if path.is_file() else sorted(path.rglob("*") if path.is_dir() else path.parent.glob(path.name))
    if not files:
        raise StackError(f"no such file: {path}")
    return files


def volume_for(data: list[Path]) -> Path:
    """The model volume of these input files as they are now: other files, or the same ones changed, have another."""
    if not data:
        return DEMO / "volumes/demo-shop"
    state = "\n".join(f"{file.resolve()} {file.stat().st_mtime_ns}" for path in data for file in files_of(path))
    return DEMO / "volumes" / f"{files_of(data[0])[0].name}-{hashlib.sha256(state.encode()).hexdigest()[:8]}"


def train(data: dict[str, Path], *, if_empty: bool, force: bool) -> Path:
    """Trains on these files (`{"events": …, "mapping": …}`; none: the demo shop) and returns the volume."""
    volume = volume_for(list(data.values()))
    how = [*(["--if-empty"] if if_empty else []), *(["--force"] if force else [])]
    command = [str(PYTHON), "-m", "trainer", "train", *options(data), "--artifact-dir", str(volume), *how]
    if (status := subprocess.run(command, check=False).returncode) != 0:
        refused = "; FORCE=1 serves the model all the same" if status == REFUSED else ""
        raise StackError(f"training ended with status {status}{refused}")
    return volume


def options(data: dict[str, Path]) -> list[str]:
    """The files as the trainer's command line takes them."""
    return [word for name, path in data.items() for word in (f"--{name}", str(path))]


def serve(volume: Path, data: dict[str, Path]) -> None:
    """Serves the volume until interrupted, and trains again on what comes in. Raises StackError when a process dies."""
    jobs = {"event_sink": [], "trainer": ["schedule", *RETRAIN, *options(data)]}
    print(f"starting candidate_gen, reranker, gateway, ui, {', '.join(jobs)}", flush=True)
    types = {"GATEWAY_MAPPING_FILE": str(data["mapping"])} if "mapping" in data else {}  # what the trainer learns from
    with LocalStack(
        volume, ports=Ports.from_environment(), with_ui=True, jobs=jobs, log_dir=DEMO / "logs", environment=types
    ) as stack:
        print(f"\n  page  {stack.ui_url}\n  API   {stack.gateway_url}/docs\n  logs  {DEMO / 'logs'}")
        print(f"\n  {access()}\n  Ctrl-C stops everything.", flush=True)
        stack.watch()


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


def main() -> int:
    """Exit status 0 after Ctrl-C, 1 with a message on standard error when something could not run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["run", "train"])
    for name in ("events", "mapping", "catalogue"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--force", action="store_true", help="serve the model whatever the gate says")
    arguments = vars(parser.parse_args())
    force = arguments.pop("force")
    command = arguments.pop("command")
    data = {name: path for name, path in arguments.items() if path is not None}
    for number in STOPPING:
        signal.signal(number, interrupt)
    try:
        if command == "train":
            train(data, if_empty=False, force=force)
        else:
            Ports.from_environment().check()
            serve(train(data, if_empty=True, force=force), data)
    except StackError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
