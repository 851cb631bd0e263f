"""Starts Streamlit on `app.py`, and the page of metrics: `python -m ui`. Settings in, this process is the web server.

Everything that does not depend on the settings (theme, no telemetry, no tracebacks) is in `.streamlit/config.toml`,
which Streamlit reads because it lies beside `app.py`.
"""

import sys
from pathlib import Path

from pydantic import ValidationError
from streamlit.web import cli

from ui import metrics
from ui.settings import Settings


def command(settings: Settings) -> list[str]:
    """What Streamlit is told."""
    app = Path(__file__).with_name("app.py")
    address = [f"--server.address={settings.host}", f"--server.port={settings.port}"]
    return ["run", str(app), *address]


def main() -> None:
    """Serve until told to end. A wrong variable ends the process with a sentence and status 2, as in all others."""
    try:
        settings = Settings()
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_context=False):
            variable = ".".join(map(str, detail["loc"])).upper()
            found = "" if "KEY" in variable else f", found {detail['input']!r}"
            sys.stderr.write(f"error: UI_{variable}: {detail['msg']}{found}\n")
        sys.exit(2)
    try:
        metrics.serve(host=settings.metrics_host, port=settings.metrics_port)
    except OSError as error:
        sys.stderr.write(f"error: UI_METRICS_PORT: cannot listen on port {settings.metrics_port}: {error.strerror}\n")
        sys.exit(2)
    cli.main(command(settings), prog_name="streamlit")


if __name__ == "__main__":
    main()
