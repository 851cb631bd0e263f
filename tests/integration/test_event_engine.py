"""grpc's event engine is off in every process that serves: the switch is known to grpc, and is set in time."""

import os
import subprocess
import sys

import pytest

_SERVER = """
from concurrent.futures import ThreadPoolExecutor
import grpc
server = grpc.server(ThreadPoolExecutor(1))
grpc.insecure_channel(f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}").close()
"""
_WHEN_GRPC_IS_IMPORTED = """
import importlib, os, sys
class Finder:
    def find_spec(self, name, path, target=None):
        if name == "grpc":
            print(os.environ.get("GRPC_EXPERIMENTS", "not set"))
sys.meta_path.insert(0, Finder())
importlib.import_module(sys.argv[1])
"""


def run(script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name != "GRPC_EXPERIMENTS"}
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=True,
    )


def test_grpc_knows_the_switch() -> None:
    complaint = "Unknown experiment"
    assert complaint in run(_SERVER, GRPC_EXPERIMENTS="-no_such_experiment").stderr
    assert complaint not in run(f"import recsys.rpc\n{_SERVER}").stderr


@pytest.mark.parametrize("process", ["candidate_gen.__main__", "reranker.__main__", "gateway.__main__"])
def test_the_switch_is_set_before_grpc_is_imported(process: str) -> None:
    assert run(_WHEN_GRPC_IS_IMPORTED, process).stdout.splitlines() == ["-event_engine_client,-event_engine_listener"]
