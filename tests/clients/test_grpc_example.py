"""The example of the gRPC API runs against a running system, with the stubs that its package installs."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from tools.local_stack import LocalStack

PACKAGE = Path(__file__).parents[2] / "clients/grpc"


def test_a_user_gets_a_list_over_grpc_buys_and_gets_another_one(stack: LocalStack, tmp_path: Path) -> None:
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text(encoding="utf-8"))
    for source, target in project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"].items():
        (tmp_path / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PACKAGE / source, tmp_path / target)
    # the packages of this environment, but for the system's own modules
    libraries = [path for path in sys.path if path.endswith("site-packages")]
    command = [sys.executable, "-S", PACKAGE / "examples/shop.py", f"127.0.0.1:{stack.ports.gateway_grpc}", "visitor"]
    done = subprocess.run(
        command,
        env={"PYTHONPATH": ":".join([str(tmp_path), *libraries])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *listed, accepted, again = done.stdout.splitlines()
    assert [line.split()[0] for line in listed] == ["1", "2", "3"]
    assert (accepted, again) == ("accepted: 1", "bought item recommended again: False")
