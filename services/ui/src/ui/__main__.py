"""Starts Streamlit on `app.py`: `python -m ui`. Settings in, this process becomes the web server.

Everything that does not depend on the settings (theme, no telemetry, no tracebacks) is in `.streamlit/config.toml`,
which Streamlit reads because it lies beside `app.py`.
"""

import os
import sys
from pathlib import Path

from pydantic import ValidationError

from ui.settings import Settings


def command(settings: Settings) -> list[str]:
    """The command line that serves the page."""
    app = Path(__file__).with_name("app.py")
    address = [f"--server.address={settings.host}", f"--server.port={settings.port}"]
    return [sys.executable, "-m", "streamlit", "run", str(app), *address]


def main() -> None:
    """Become the web server. A wrong variable ends the process with a sentence and status 2, as in every other one."""
    try:
        settings = Settings()
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_context=False):
            variable = ".".join(map(str, detail["loc"])).upper()
            found = "" if "KEY" in variable else f", found {detail['input']!r}"
            sys.stderr.write(f"error: UI_{variable}: {detail['msg']}{found}\n")
        sys.exit(2)
    os.execv(sys.executable, command(settings))


if __name__ == "__main__":
    main()
