"""A small shop that runs as local processes, and the same shop in memory."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import tiny_artifact

from tools.local_stack import LocalStack, Ports

ROOT: Final = Path(__file__).parents[2]
SHOP: Final = tiny_artifact.checkerboard()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """Twelve items, six users and an empty feature store."""
    folder: Path = tmp_path_factory.mktemp("clients")
    tiny_artifact.publish(SHOP, folder / "volume")
    settings = {"GATEWAY_EXPLORATION": "0", "GATEWAY_TIMEOUT_S": "10", "GATEWAY_STORE_TIMEOUT_S": "5"}
    with LocalStack(folder / "volume", ports=Ports.free(), log_dir=folder / "logs", environment=settings) as stack:
        yield stack


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def javascript_package() -> Path:
    """The JavaScript client, built as a release builds it: `make clients`, without the packing."""
    if shutil.which("npm") is None:
        pytest.fail("no npm on the PATH: install Node 18 or newer")
    subprocess.run(["make", "--silent", "clients/javascript/dist/index.js"], cwd=ROOT, check=True, capture_output=True)
    return ROOT / "clients/javascript"
