"""An S3 server in a process of its own, moto's, that can be told to fail: `python -m tools.s3_server` prints its port.

`S3` starts it and tells it. Told to hold, it prints a line when a request comes whose method and path match, and does
not answer it before it is told otherwise; then with 503, as it answers everything while it is unavailable.
"""

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

import httpx
from obstore.store import from_url

BUCKET: Final = "shop"
ROOT: Final = Path(__file__).resolve().parents[1]
_PATIENCE_S: Final = 60.0  # its first answer loads much; the machine may be busy


class FaultyServer:
    """What stands before moto's application."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self._application = application
        self._unavailable = False
        self._hold = ""
        self._told = threading.Event()
        self._requests: list[str] = []

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        if request == "POST /told":
            told = parse_qs(environ["QUERY_STRING"])
            self._unavailable = "unavailable" in told
            self._hold = told.get("hold", [""])[0]
            self._told.set()
            self._told = threading.Event()
            self._requests.clear()
            start_response("200 OK", [])
            return []
        if request == "GET /requests":
            start_response("200 OK", [])
            return ["\n".join(self._requests).encode()]
        self._requests.append(request)
        held = bool(self._hold) and re.search(self._hold, request) is not None
        if held:
            answer = self._told
            print(f"holding {request}", flush=True)
            answer.wait()
        if held or self._unavailable:
            start_response("503 Slow Down", [("content-length", "0")])
            return []
        return self._application(environ, start_response)


class S3:
    """A running server, and what it is told."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        self._stdout = process.stdout
        self.endpoint = f"http://127.0.0.1:{int(self._stdout.readline())}"
        self.address = f"s3://{BUCKET}/models"
        self.variables = {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
        }
        httpx.put(f"{self.endpoint}/{BUCKET}", timeout=_PATIENCE_S).raise_for_status()

    def tell(self, told: Mapping[str, str] = {}) -> None:
        """`unavailable`, or `hold` with an expression; nothing: be well."""
        httpx.post(f"{self.endpoint}/told", params=dict(told), timeout=_PATIENCE_S).raise_for_status()

    def wait_until_it_holds(self) -> str:
        """The request that it holds."""
        return self._stdout.readline().removeprefix("holding ").strip()

    def requests(self) -> list[str]:
        """What came since it was last told something."""
        return httpx.get(f"{self.endpoint}/requests", timeout=_PATIENCE_S).text.splitlines()

    def put(self, path: str, content: bytes) -> None:
        """Put an object, whatever it does to a version; the variables are in the environment."""
        from_url(self.address, client_options={"allow_http": True}).put(path, content)


@contextmanager
def running() -> Iterator[S3]:
    """A server until the end of the block."""
    command = [sys.executable, "-m", "tools.s3_server"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield S3(process)
        finally:
            process.kill()


if __name__ == "__main__":
    import logging

    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, FaultyServer(DomainDispatcherApplication(create_backend_app)), threaded=True)
    print(server.port, flush=True)
    server.serve_forever()
