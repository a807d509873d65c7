"""Whom `roost serve` trusts is set, and a CA that cannot be used is one clear line."""

import ssl
from pathlib import Path

import pytest

from actors.adapters.mqtt.broker import parse_url
from protocol.errors import SettingsError
from protocol.times import SECOND_US
from roost.settings import check_database_url
from roost.tls.authority import Authority

NOW_US = 1_800_000_000 * SECOND_US


def test_a_broker_is_verified_by_its_name_and_by_our_ca_alone(tmp_path: Path) -> None:
    Authority.of(tmp_path, NOW_US)
    found = parse_url("mqtts://roost:pw@mqtt.lan", tmp_path / "ca.pem")
    assert isinstance(found.ssl, ssl.SSLContext)
    assert (found.port, found.ssl.check_hostname) == (8883, True)
    assert found.ssl.verify_mode == ssl.CERT_REQUIRED
    assert len(found.ssl.get_ca_certs()) == 1
    assert parse_url("mqtt://roost:pw@mqtt.lan").ssl is False


def test_a_ca_that_cannot_be_used_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "rubbish").write_text("rubbish")
    for name in ("rubbish", "missing"):
        with pytest.raises(SettingsError, match="cannot be used as CA"):
            parse_url("mqtts://mqtt.lan", tmp_path / name)
    with pytest.raises(SettingsError, match="needs an MQTT URL with mqtts"):
        parse_url("mqtt://mqtt.lan", tmp_path / "rubbish")
    url = "postgresql://roost@db.lan/roost?sslmode=verify-full&sslrootcert="
    with pytest.raises(SettingsError, match="a CA that does not exist"):
        check_database_url(f"{url}{tmp_path / 'missing'}")
    assert check_database_url(f"{url}{tmp_path / 'rubbish'}")
