"""Encrypted connections between processes, and who may connect.

Paths of PEM files come in; gRPC's credentials go out. A server that has `ca` asks each client for a certificate that
this authority signed: mutual TLS. A client trusts servers whose certificate `ca` signed, and shows its own if it has
one.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final, Self, TypeVar

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import BaseModel, Field, model_validator

from recsys.errors import CertificateError

_log = logging.getLogger(__name__)

_SOON: Final = timedelta(days=30)
_Parsed = TypeVar("_Parsed")


@dataclass(frozen=True)
class TlsFiles:
    """PEM files of one end of a connection."""

    certificate: Path | None = None  # a chain, this process's own first; a server must have one
    key: Path | None = None  # of the certificate
    ca: Path | None = None  # authorities that sign what the other end shows; a client without it trusts the public ones


class TlsSettings(BaseModel):
    """Three settings, for a process's Settings to inherit; none of them set: plain text."""

    tls_certificate: Path | None = Field(None, description="PEM file: certificate that this process shows")
    tls_key: Path | None = Field(None, description="PEM file: the certificate's private key")
    tls_ca: Path | None = Field(None, description="PEM file: who must have signed the other end's certificate")

    @model_validator(mode="after")
    def _certificate_and_key_come_together(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key: expected both or none, found one")
        return self

    def tls_files(self) -> TlsFiles | None:
        """What to give a server or a channel; none: plain text."""
        files = TlsFiles(certificate=self.tls_certificate, key=self.tls_key, ca=self.tls_ca)
        return None if files == TlsFiles() else files


def server_credentials(files: TlsFiles) -> grpc.ServerCredentials:
    """Credentials of a server, whose certificate's end is logged. Raises: CertificateError."""
    pair = _pair(files)
    if pair is None:
        raise CertificateError("a server with TLS: expected a certificate and its key, found none")
    ca = _authorities(files)
    return grpc.ssl_server_credentials([pair], root_certificates=ca, require_client_auth=ca is not None)


def channel_credentials(files: TlsFiles) -> grpc.ChannelCredentials:
    """Credentials of a client. Raises: CertificateError."""
    key, chain = _pair(files) or (None, None)
    return grpc.ssl_channel_credentials(root_certificates=_authorities(files), private_key=key, certificate_chain=chain)


def _pair(files: TlsFiles) -> tuple[bytes, bytes] | None:
    """Key and certificate chain, which belong together."""
    if files.certificate is None or files.key is None:
        return None
    chain, certificates = _read(files.certificate, "PEM certificates", x509.load_pem_x509_certificates)
    key, private_key = _read(
        files.key, "a PEM private key without a password", partial(load_pem_private_key, password=None)
    )
    if private_key.public_key() != certificates[0].public_key():
        raise CertificateError(f"{files.key}: expected the key of {files.certificate}, found another")
    _tell_end(files.certificate, certificates[0])
    return key, chain


def _authorities(files: TlsFiles) -> bytes | None:
    return None if files.ca is None else _read(files.ca, "PEM certificates", x509.load_pem_x509_certificates)[0]


def _read(path: Path, expected: str, parse: Callable[[bytes], _Parsed]) -> tuple[bytes, _Parsed]:
    """The file and what it means. gRPC itself would take anything, and fail in each handshake."""
    try:
        pem = path.read_bytes()
        return pem, parse(pem)
    except OSError as error:
        raise CertificateError(f"{path}: expected {expected}, found: {error.strerror}") from error
    except (ValueError, TypeError) as error:  # TypeError: the key has a password
        raise CertificateError(f"{path}: expected {expected}, found something else") from error


def _tell_end(path: Path, certificate: x509.Certificate) -> None:
    end = certificate.not_valid_after_utc
    left = end - datetime.now(UTC)
    level = logging.INFO if left > _SOON else logging.WARNING if left > timedelta() else logging.ERROR
    _log.log(level, "certificate", extra={"file": str(path), "expires_at": end.isoformat(), "days_left": left.days})
