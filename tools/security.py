"""Runs every security test and says what was covered: `make security`. Arguments go to pytest."""

import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Final

from tools.local_stack import PYTHON, ROOT

COVERED: Final = {
    "API keys: scopes, rotation, rates, no secret at rest": ["services/gateway/tests/test_gateway_api_keys.py"],
    "the gRPC API: keys, any bytes": ["tests/security/test_grpc_api_fuzzed.py"],
    "clients that send without end; CORS": ["services/gateway/tests/test_gateway_hostile_clients.py"],
    "certificates: who may speak with whom": ["libs/recsys/tests/test_rpc_tls.py"],
    "mutual TLS through three real processes": ["tests/security/test_tls_processes.py"],
    "no secret in any log or answer": ["tests/security/test_no_secret_shown.py"],
    "REST fuzzed (schemathesis), with keys on": ["tests/security/test_api_fuzzed.py"],
    "gRPC fuzzed, every method of both services": ["tests/security/test_grpc_fuzzed.py"],
    "containers: rights, limits, pins, what is published": ["tests/contract/test_compose_hardening.py"],
    "the dependency audit finds what it must": ["tests/security/test_audit.py"],
}


def run(paths: list[str], arguments: list[str]) -> tuple[int, int, float]:
    """Tests that ran, those of them that failed, and the seconds that it took."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        started_s = time.monotonic()
        command = [str(PYTHON), "-m", "pytest", "-q", f"--junitxml={report}", *paths, *arguments]
        ended = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
        took_s = time.monotonic() - started_s
        if ended.returncode:
            print(ended.stdout)
        if not report.exists():
            return 0, 1, took_s
        suite = next(ElementTree.parse(report).iter("testsuite")).attrib
        bad = int(suite["failures"]) + int(suite["errors"])
        return int(suite["tests"]), max(bad, int(ended.returncode != 0)), took_s


def main(arguments: list[str]) -> int:
    """Exit status 1 if a test failed."""
    print("| what | tests | failed | s |\n|---|---|---|---|", flush=True)
    failed = 0
    for what, paths in COVERED.items():
        tests, bad, took_s = run(paths, arguments)
        print(f"| {what} | {tests} | {bad} | {took_s:.0f} |", flush=True)
        failed += bad
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
