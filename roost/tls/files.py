"""A certificate with its key, and CA certificates: read from files and checked.

What is wrong is found here, with words for it. OpenSSL would ask the terminal for the passphrase of
a key, and nats-server would not start.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from protocol.errors import SettingsError, in_words
from protocol.times import SECOND_US

BYTES_MAX = 1 << 20


class Pair(msgspec.Struct, frozen=True):
    """A certificate with its chain, and its private key.

    Attributes:
        chain, key: PEM; the server's own certificate is first.
        names: DNS names and addresses that it is valid for.
        not_after_us: when the first certificate of the chain ends.
    """

    chain: bytes
    key: bytes
    names: tuple[str, ...]
    not_after_us: int


def read_pair(certificate: Path, key: Path) -> Pair:
    """Raises `SettingsError`: a file cannot be read, or the two do not fit."""
    chain, secret = _read(certificate), _read(key)
    found = _certificates(chain, certificate)
    try:
        public = load_pem_private_key(secret, None).public_key()
    except TypeError:
        raise SettingsError(f"{key} has a passphrase: Roost needs a key without one") from None
    except (ValueError, UnsupportedAlgorithm):
        raise SettingsError(f"{key} has no private key in PEM") from None
    shape = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if public.public_bytes(*shape) != found[0].public_key().public_bytes(*shape):
        raise SettingsError(f"{key} is not the key of the first certificate in {certificate}")
    return Pair(chain, secret, names_of(found[0]), min(map(_not_after_us, found)))


def read_authorities(file: Path) -> bytes:
    """CA certificates in PEM. Raises `SettingsError`."""
    content = _read(file)
    _certificates(content, file)
    return content


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """The DNS names and addresses of a certificate."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return ()
    addresses = map(str, found.get_values_for_type(x509.IPAddress))
    return (*found.get_values_for_type(x509.DNSName), *addresses)


def _not_after_us(certificate: x509.Certificate) -> int:
    return int(certificate.not_valid_after_utc.timestamp()) * SECOND_US


def _certificates(content: bytes, file: Path) -> Sequence[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError:
        raise SettingsError(f"{file} has no certificate in PEM") from None


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            content = opened.read(BYTES_MAX + 1)
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {in_words(error)}") from None
    if len(content) > BYTES_MAX:
        raise SettingsError(f"{file} is larger than a certificate or a key")
    return content
