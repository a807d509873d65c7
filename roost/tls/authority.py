"""A private CA in a folder, for trying out TLS and for devices: `ca.pem` and `ca.key`.

    authority = Authority.of(Path("certs"), now_us)
    authority.issue_server(["roost.lan", "192.168.1.5"])
    authority.issue_client("device-…")

Keys are of the curve P-256, which small devices can work with, and their files are readable by this
user only.
"""

import os
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from protocol.errors import SettingsError, in_words
from protocol.times import EPOCH
from roost.embedded.data_dir import write_private

CA_DAYS = 3_650
# Some browsers refuse certificates that are valid for longer.
DAYS = 397
DAYS_MAX = 3_650
# A device whose clock is a little late must accept a new certificate.
EARLIER = timedelta(days=1)
NAME_MAX = 64  # of a common name (RFC 5280, ub-common-name)
PUBLIC = 0o644
OURS = ("ca", "server")  # names of files
_PROGRAM = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}[A-Za-z0-9])?", re.ASCII)
_HOST = re.compile(r"(?:\*\.)?[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", re.ASCII)


class Authority:
    """A CA with its key.

    Attributes:
        is_new: it was made now.
    """

    def __init__(
        self,
        folder: Path,
        certificate: x509.Certificate,
        key: ec.EllipticCurvePrivateKey,
        now: datetime,
        *,
        is_new: bool,
    ) -> None:
        self.is_new = is_new
        self._folder = folder
        self._certificate = certificate
        self._key = key
        self._now = now

    @classmethod
    def of(cls, folder: Path, now_us: int) -> "Authority":
        """That of this folder, made if there is none. Raises `SettingsError`."""
        now = EPOCH + timedelta(microseconds=now_us)
        certificate, key = folder / "ca.pem", folder / "ca.key"
        if certificate.exists() or key.exists():
            return cls(folder, *_read(certificate, key), now, is_new=False)
        made = ec.generate_private_key(ec.SECP256R1())
        name = _name(f"Roost CA {now:%Y-%m-%d %H:%M:%S}")
        builder = _builder(name, name, made.public_key(), made, now, CA_DAYS)
        usage = x509.BasicConstraints(ca=True, path_length=0)
        signed = (
            builder.add_extension(usage, critical=True)
            .add_extension(_usage(is_ca=True), critical=True)
            .sign(made, hashes.SHA256())
        )
        _write(certificate, key, [signed], made)
        return cls(folder, signed, made, now, is_new=True)

    def issue_server(self, names: Sequence[str], days: int = DAYS) -> tuple[Path, Path]:
        """For a server with these DNS names and addresses; its certificate and its key. Raises
        `SettingsError`."""
        alternatives = x509.SubjectAlternativeName([_alternative(name) for name in names])
        usage = ExtendedKeyUsageOID.SERVER_AUTH
        return self._issue("server", names[0][:NAME_MAX], alternatives, usage, days)

    def issue_client(self, name: str, days: int = DAYS) -> tuple[Path, Path]:
        """For an MQTT client: a device, by its client id, or a program. Raises `SettingsError`."""
        if _PROGRAM.fullmatch(name) is None or name in OURS:
            raise SettingsError(f"{name!r} cannot be the name of a client")
        alternatives = x509.SubjectAlternativeName([x509.DNSName(name)])
        usage = ExtendedKeyUsageOID.CLIENT_AUTH
        return self._issue(name, name, alternatives, usage, days)

    def _issue(
        self,
        file: str,
        name: str,
        alternatives: x509.SubjectAlternativeName,
        usage: x509.ObjectIdentifier,
        days: int,
    ) -> tuple[Path, Path]:
        made = ec.generate_private_key(ec.SECP256R1())
        issuer = self._certificate.subject
        builder = _builder(_name(name), issuer, made.public_key(), self._key, self._now, days)
        signed = (
            builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(is_ca=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(alternatives, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        certificate, key = self._folder / f"{file}.pem", self._folder / f"{file}.key"
        _write(certificate, key, [signed], made)
        return certificate, key


def _read(certificate: Path, key: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    try:
        found = load_pem_private_key(key.read_bytes(), None)
        signed = x509.load_pem_x509_certificate(certificate.read_bytes())
    except (OSError, ValueError, TypeError) as error:
        raise SettingsError(
            f"the CA in {certificate.parent} cannot be read: {in_words(error)}"
        ) from None
    if (
        not isinstance(found, ec.EllipticCurvePrivateKey)
        or found.public_key() != signed.public_key()
    ):
        raise SettingsError(f"{key} is not the key of {certificate}")
    return signed, found


def _write(
    certificate: Path,
    key: Path,
    chain: Sequence[x509.Certificate],
    made: ec.EllipticCurvePrivateKey,
) -> None:
    """The key first: a certificate never lies beside the key of another one for long. Raises
    `SettingsError`."""
    try:
        certificate.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"{certificate.parent} cannot be made: {in_words(error)}") from None
    secret = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_private(key, secret)
    write_private(certificate, b"".join(each.public_bytes(Encoding.PEM) for each in chain))
    os.chmod(certificate, PUBLIC)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePrivateKey,
    now: datetime,
    days: int,
) -> x509.CertificateBuilder:
    of_issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLIER)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(of_issuer, critical=False)
    )


def _usage(*, is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _alternative(name: str) -> x509.GeneralName:
    """Raises `SettingsError`."""
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        pass
    if _HOST.fullmatch(name) is None:
        raise SettingsError(f"{name!r} is neither a host name nor an address")
    return x509.DNSName(name)
