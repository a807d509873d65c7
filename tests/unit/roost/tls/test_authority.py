"""Certificates for trying out are accepted by strict programs, and their keys are private."""

import subprocess
from pathlib import Path

import pytest

from protocol.errors import SettingsError
from protocol.times import SECOND_US
from roost.tls.authority import Authority
from tests.conftest import needs

NOW_US = 1_800_000_000 * SECOND_US
DEVICE = "device-11111111-1111-4111-8111-111111111111"


def test_openssl_accepts_them_strictly_each_for_its_purpose(tmp_path: Path) -> None:
    authority = Authority.of(tmp_path, NOW_US)
    server, _ = authority.issue_server(["roost.lan", "192.0.2.7", "::1"])
    device, _ = authority.issue_client(DEVICE)
    for purpose, file in (("sslserver", server), ("sslclient", device)):
        check = [needs("openssl"), "verify", "-x509_strict", "-attime", str(NOW_US // SECOND_US)]
        which = ["-purpose", purpose, "-CAfile", str(tmp_path / "ca.pem"), str(file)]
        assert subprocess.run([*check, *which], capture_output=True, check=False).returncode == 0


def test_the_ca_stays_and_its_keys_are_private(tmp_path: Path) -> None:
    first = Authority.of(tmp_path / "new", NOW_US)
    assert first.is_new
    before = (tmp_path / "new" / "ca.pem").read_bytes()
    second = Authority.of(tmp_path / "new", NOW_US)
    assert not second.is_new
    _, key = second.issue_client(DEVICE)
    assert (tmp_path / "new" / "ca.pem").read_bytes() == before
    for private in (key, tmp_path / "new" / "ca.key"):
        assert private.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["", "a b", "https://roost.lan", "roost.lan:8000", "-x", "ö.lan"])
def test_what_is_no_name_of_a_server_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="neither a host name nor an address"):
        Authority.of(tmp_path, NOW_US).issue_server([name])


@pytest.mark.parametrize("name", ["", "ca", "server", "../x", "a/b", "a.b", "x" * 65])
def test_a_client_s_name_is_no_other_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="cannot be the name of a client"):
        Authority.of(tmp_path, NOW_US).issue_client(name)


def test_a_ca_without_its_key_is_never_replaced(tmp_path: Path) -> None:
    Authority.of(tmp_path, NOW_US)
    (tmp_path / "ca.key").unlink()
    with pytest.raises(SettingsError, match="cannot be read"):
        Authority.of(tmp_path, NOW_US)
    assert (tmp_path / "ca.pem").exists()
