"""A certificate and its key are checked before anything uses them."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from protocol.errors import SettingsError
from protocol.times import SECOND_US
from roost.tls.authority import Authority
from roost.tls.files import read_authorities, read_pair

NOW_US = 1_800_000_000 * SECOND_US
DAY_US = 24 * 3600 * SECOND_US


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return Authority.of(tmp_path, NOW_US).issue_server(["roost.lan", "192.0.2.7"], 30)


def test_it_knows_its_names_and_its_end(files: tuple[Path, Path]) -> None:
    pair = read_pair(*files)
    assert pair.names == ("roost.lan", "192.0.2.7")
    assert pair.not_after_us == NOW_US + 30 * DAY_US


def test_of_a_chain_the_first_end_counts(files: tuple[Path, Path], tmp_path: Path) -> None:
    certificate, key = files
    long = Authority.of(tmp_path, NOW_US)
    with certificate.open("ab") as chain:
        chain.write((tmp_path / "ca.pem").read_bytes())
    assert not long.is_new
    assert read_pair(certificate, key).not_after_us == NOW_US + 30 * DAY_US


def test_what_does_not_work_is_told_in_words(files: tuple[Path, Path], tmp_path: Path) -> None:
    certificate, key = files
    encrypted = tmp_path / "encrypted.key"
    shape = (Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    encrypted.write_bytes(load_pem_private_key(key.read_bytes(), None).private_bytes(*shape))
    rubbish = tmp_path / "rubbish"
    rubbish.write_text("rubbish")
    for pair, wanted in (
        ((certificate, encrypted), "has a passphrase"),
        ((certificate, tmp_path / "ca.key"), "is not the key of"),
        ((rubbish, key), "has no certificate"),
        ((key, key), "has no certificate"),
        ((certificate, rubbish), "has no private key"),
        ((tmp_path / "missing", key), "cannot be read"),
    ):
        with pytest.raises(SettingsError, match=wanted):
            read_pair(*pair)
    with pytest.raises(SettingsError, match="has no certificate"):
        read_authorities(key)
