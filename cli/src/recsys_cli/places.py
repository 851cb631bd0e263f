"""Where the system keeps what it knows: the volume, the lake on it and the feature store, as the services are told."""

from pathlib import Path
from typing import Annotated, Final
from urllib.parse import quote

import typer

EMBEDDED_STORE: Final = "features.db"
"""On the volume, where no address says otherwise; so `make demo` has it."""

VolumeOption = Annotated[
    Path,
    typer.Option(
        "--artifact-dir",
        envvar=["TRAINER_ARTIFACT_DIR", "EVENT_SINK_ARTIFACT_DIR", "CANDIDATE_GEN_ARTIFACT_DIR"],
        help="The volume of versions; its folder `lake` is the lake.",
    ),
]
StoreOption = Annotated[
    str,
    typer.Option(
        "--feature-store-url",
        envvar=["EVENT_SINK_FEATURE_STORE_URL", "GATEWAY_FEATURE_STORE_URL"],
        help=f"sqlite:///path or valkey://host:port/0; none: `{EMBEDDED_STORE}` on the volume, if it is there.",
    ),
]
DEFAULT_VOLUME: Final = Path("artifacts")


def store_url(given: str, volume: Path) -> str:
    """The address of the feature store; empty: there is none."""
    embedded = volume / EMBEDDED_STORE
    return given or (embedded_url(volume) if embedded.is_file() else "")


def of_one_server(url: str) -> str:
    """The address of a Valkey server; of a cluster, that of the node which its address names."""
    return url.replace("valkey+cluster://", "valkey://", 1)


def embedded_url(volume: Path) -> str:
    """The address of the embedded store on a volume."""
    return f"sqlite://{quote(str(volume.resolve()))}/{EMBEDDED_STORE}"
