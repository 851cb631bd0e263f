"""The whole system as an operator would close it: mutual TLS between the processes, API keys at the front."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import checkerboard_shop as shop
import pytest
import yaml
from certificates import Authority
from waiting import PATIENT

from recsys.rpc.tls import TlsFiles
from tools.local_stack import LocalStack, Ports

SECRETS = {name: f"rk_MARK-{name}-key" for name in ("reader", "shop", "office", "everything")}
SCOPES = {"reader": ["read"], "shop": ["events"], "office": ["admin"], "everything": ["read", "events", "admin"]}


@dataclass(frozen=True)
class Closed:
    """The running system, its authority and that of others, where it logs, and what it runs on."""

    stack: LocalStack
    ours: Authority
    theirs: Authority
    logs: Path
    volume: Path

    def client(self, authority: Authority) -> TlsFiles:
        """What a client with a certificate of this authority shows; it trusts our servers."""
        signed = authority.sign("client")
        return TlsFiles(certificate=signed.certificate, key=signed.key, ca=self.ours.file)


def bearer(name: str) -> dict[str, str]:
    """The header of the key with this name."""
    return {"Authorization": f"Bearer {SECRETS[name]}"}


def tls_of(prefix: str, authority: Authority) -> dict[str, str]:
    """Settings of a process that shows a certificate of the authority, and asks the other end for one."""
    signed = authority.sign(prefix.lower())
    return {
        f"{prefix}_TLS_CERTIFICATE": str(signed.certificate),
        f"{prefix}_TLS_KEY": str(signed.key),
        f"{prefix}_TLS_CA": str(authority.file),
    }


@pytest.fixture(scope="session")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A volume with a model of the checkerboard."""
    folder = tmp_path_factory.mktemp("shop")
    shop.write_events(folder / "events.csv")
    shop.train(folder / "volume", folder / "events.csv")
    return folder / "volume"


@pytest.fixture(scope="session")
def keys_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "api-keys.yaml"
    keys = [
        {"name": name, "sha256": hashlib.sha256(secret.encode()).hexdigest(), "scopes": SCOPES[name]}
        for name, secret in SECRETS.items()
    ]
    path.write_text(yaml.safe_dump({"keys": keys}))
    return path


@pytest.fixture(scope="session")
def closed(tmp_path_factory: pytest.TempPathFactory, volume: Path, keys_file: Path) -> Iterator[Closed]:
    """Three processes that trust nobody but each other."""
    folder = tmp_path_factory.mktemp("closed")
    ours = Authority(folder / "ours", "ours")
    environment = PATIENT | {"GATEWAY_API_KEYS_FILE": str(keys_file)}
    for process in ("CANDIDATE_GEN", "RERANKER", "GATEWAY"):
        environment |= tls_of(process, ours)
    shown = ours.sign("gateway_grpc")
    environment |= {
        "GATEWAY_GRPC_TLS_CERTIFICATE": str(shown.certificate),
        "GATEWAY_GRPC_TLS_KEY": str(shown.key),
    }
    with LocalStack(volume, ports=Ports.free(), log_dir=folder / "logs", environment=environment) as stack:
        yield Closed(stack, ours, Authority(folder / "theirs", "theirs"), folder / "logs", volume)


def messages(log: Path) -> list[dict[str, object]]:
    """The lines of a process that logs JSON, other lines left out."""
    lines = []
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            continue
    return lines
