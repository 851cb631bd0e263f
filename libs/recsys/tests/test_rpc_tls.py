"""Who may speak with whom: real certificates, real handshakes."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from certificates import SERVER_NAME, Authority
from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from replica_process import LIMITS, replica

from recsys.errors import CertificateError
from recsys.rpc import probe
from recsys.rpc.channel import open_blocking_channel, open_channel
from recsys.rpc.tls import TlsFiles, TlsSettings, channel_credentials, server_credentials
from recsys.v1.model_service_pb2 import GetModelRequest
from recsys.v1.model_service_pb2_grpc import ModelServiceStub

TIMEOUT_S = 60.0


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ours", "ours")


@pytest.fixture
def theirs(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "theirs", "theirs")


@contextmanager
def serving(tls: TlsFiles | None) -> Iterator[str]:
    server = replica("v1", LIMITS, tls=tls)
    target = f"127.0.0.1:{server.start(host='127.0.0.1', port=0)}"
    server.set_serving()
    try:
        yield target
    finally:
        server.drain()


def answer(target: str, tls: TlsFiles | None) -> str:
    """The version that the server answers with, or the code of the failure."""
    with open_blocking_channel(target, tls=tls, server_name=SERVER_NAME if tls else "") as channel:
        stub = ModelServiceStub(channel)  # type: ignore[no-untyped-call] # generated
        try:
            version: str = stub.GetModel(GetModelRequest(), timeout=TIMEOUT_S).artifact_version
        except grpc.RpcError as error:
            return str(error.code().name)
        return version


def of(authority: Authority, name: str, *, trusts: Authority | None = None) -> TlsFiles:
    signed = authority.sign(name)
    return TlsFiles(certificate=signed.certificate, key=signed.key, ca=trusts.file if trusts else None)


def test_a_client_that_trusts_the_server_s_authority_is_answered(ours: Authority) -> None:
    with serving(of(ours, "server")) as target:
        assert answer(target, TlsFiles(ca=ours.file)) == "v1"


def test_the_asyncio_channel_speaks_tls_and_watches_the_health_over_it(ours: Authority) -> None:
    async def ask(target: str) -> str:
        async with open_channel(target, tls=TlsFiles(ca=ours.file), server_name=SERVER_NAME) as channel:
            stub = ModelServiceStub(channel)  # type: ignore[no-untyped-call] # generated
            version: str = (await stub.GetModel(GetModelRequest(), timeout=TIMEOUT_S)).artifact_version
            return version

    with serving(of(ours, "server")) as target:
        assert asyncio.run(ask(target)) == "v1"


def test_a_client_that_trusts_another_authority_does_not_speak_with_the_server(
    ours: Authority, theirs: Authority
) -> None:
    with serving(of(ours, "server")) as target:
        assert answer(target, TlsFiles(ca=theirs.file)) == "UNAVAILABLE"


def test_a_certificate_for_another_name_is_not_trusted(ours: Authority) -> None:
    with (
        serving(of(ours, "server")) as target,
        open_blocking_channel(target, tls=TlsFiles(ca=ours.file), server_name="other.test") as channel,
    ):
        stub = ModelServiceStub(channel)  # type: ignore[no-untyped-call] # generated
        with pytest.raises(grpc.RpcError) as caught:
            stub.GetModel(GetModelRequest(), timeout=TIMEOUT_S)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_client_in_plain_text_is_refused_and_so_is_tls_by_a_plain_server(ours: Authority) -> None:
    with serving(of(ours, "server")) as target:
        assert answer(target, None) == "UNAVAILABLE"
    with serving(None) as target:
        assert answer(target, TlsFiles(ca=ours.file)) == "UNAVAILABLE"


def test_with_mutual_tls_only_clients_of_the_authority_are_answered(ours: Authority, theirs: Authority) -> None:
    with serving(of(ours, "server", trusts=ours)) as target:
        assert answer(target, of(ours, "client", trusts=ours)) == "v1"
        assert answer(target, TlsFiles(ca=ours.file)) == "UNAVAILABLE"
        assert answer(target, of(theirs, "client", trusts=ours)) == "UNAVAILABLE"


def test_the_probe_speaks_tls(ours: Authority, capsys: pytest.CaptureFixture[str]) -> None:
    client = of(ours, "client")
    with serving(of(ours, "server", trusts=ours)) as target:
        files = ["--ca", str(ours.file), "--certificate", str(client.certificate), "--key", str(client.key)]
        assert probe.main([target, "--server-name", SERVER_NAME, *files]) == 0
        assert probe.main([target]) == 1
        assert probe.main([target, "--ca", "nowhere.pem"]) == 1
    assert capsys.readouterr().err.endswith(
        "nowhere.pem: expected PEM certificates, found: No such file or directory\n"
    )


@pytest.mark.parametrize("credentials", [server_credentials, channel_credentials])
def test_a_file_that_cannot_be_used_is_named(
    credentials: Callable[[TlsFiles], object], ours: Authority, tmp_path: Path
) -> None:
    good, locked = ours.sign("good"), ours.sign("locked", password=b"secret")
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("-----BEGIN CERTIFICATE-----\nbm90aGluZw==\n-----END CERTIFICATE-----\n")
    missing = tmp_path / "missing.pem"
    faults = {
        f"{missing}: expected PEM certificates, found: No such file": TlsFiles(missing, good.key),
        f"{missing}: expected a PEM private key": TlsFiles(good.certificate, missing),
        f"{tmp_path}: expected a PEM private key .* found: Is a directory": TlsFiles(good.certificate, tmp_path),
        f"{garbage}: expected PEM certificates, found something else": TlsFiles(garbage, good.key),
        f"{good.certificate}: expected a PEM private key": TlsFiles(good.certificate, good.certificate),
        f"{locked.key}: expected a PEM private key without a password": TlsFiles(locked.certificate, locked.key),
        f"{locked.key}: expected .*": TlsFiles(good.certificate, locked.key),
        f"{ours.sign('other').key}: expected the key of {good.certificate}, found another": TlsFiles(
            good.certificate, tmp_path / "ours" / "other.key"
        ),
        f"{garbage}: expected PEM certificates, found something": TlsFiles(good.certificate, good.key, garbage),
    }
    for message, files in faults.items():
        with pytest.raises(CertificateError, match=message):
            credentials(files)


def test_a_server_needs_a_certificate_of_its_own(ours: Authority) -> None:
    with pytest.raises(CertificateError, match="expected a certificate and its key, found none"):
        server_credentials(TlsFiles(ca=ours.file))


@pytest.mark.parametrize(("valid_days", "level"), [(365, "INFO"), (20, "WARNING"), (-1, "ERROR")])
def test_the_end_of_the_certificate_is_logged_at_the_start(
    ours: Authority, caplog: pytest.LogCaptureFixture, valid_days: int, level: str
) -> None:
    signed = ours.sign("server", valid_days=valid_days)
    with caplog.at_level(logging.INFO, logger="recsys.rpc.tls"):
        server_credentials(TlsFiles(signed.certificate, signed.key))
    [record] = caplog.records
    assert (record.levelname, record.__dict__["file"]) == (level, str(signed.certificate))
    assert record.__dict__["days_left"] in (valid_days - 1, valid_days)


class Settings(TlsSettings, BaseSettings):
    """As a process inherits them."""

    model_config = SettingsConfigDict(env_prefix="TEST_", frozen=True)

    port: int = 1


def test_a_process_inherits_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().tls_files() is None
    monkeypatch.setenv("TEST_TLS_CA", "ca.pem")
    assert Settings().tls_files() == TlsFiles(ca=Path("ca.pem"))
    monkeypatch.setenv("TEST_TLS_CERTIFICATE", "c.pem")
    with pytest.raises(ValidationError, match="expected both or none, found one"):
        Settings()
    monkeypatch.setenv("TEST_TLS_KEY", "c.key")
    assert Settings().tls_files() == TlsFiles(Path("c.pem"), Path("c.key"), Path("ca.pem"))
