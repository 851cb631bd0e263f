"""Starts Streamlit on `app.py`: `python -m ui`. Settings in, this process becomes the web server.

Everything that does not depend on the settings (theme, no telemetry, no tracebacks) is in `.streamlit/config.toml`,
which Streamlit reads because it lies beside `app.py`.
"""

import os
import sys
from pathlib import Path

from ui.settings import Settings


def command(settings: Settings) -> list[str]:
    """The command line that serves the page."""
    app = Path(__file__).with_name("app.py")
    address = [f"--server.address={settings.host}", f"--server.port={settings.port}"]
    return [sys.executable, "-m", "streamlit", "run", str(app), *address]


if __name__ == "__main__":
    os.execv(sys.executable, command(Settings()))
