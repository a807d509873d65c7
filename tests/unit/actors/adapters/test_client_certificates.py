"""A verified certificate that names a device is this device's login, and nobody else's."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from actors.adapters.nats.client_certificates import devices_of
from actors.adapters.nats.login_answers import Ask, is_right, understood
from protocol.ids import password_digest
from protocol.records import MqttLogin
from protocol.times import SECOND_US
from roost.tls.authority import Authority
from tests.unit.makers import USER

DEVICE = "device-74ec0fe8-400f-4f4e-bbdc-73fe87d91660"
OTHER = "device-74ec0fe8-400f-4f4e-bbdc-000000000000"
NOW_US = 1_800_000_000 * SECOND_US


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.of(tmp_path, NOW_US)


def asking(tls: Any, client_id: str, user: str = "", password: str = "") -> Ask:
    ask = {
        "connect_opts": {"user": user, "pass": password},
        "client_info": {"mqtt_id": client_id, "host": "192.0.2.9"},
        "client_tls": tls,
        "user_nkey": "U",
        "server_id": {"id": "N"},
    }
    body = base64.urlsafe_b64encode(json.dumps({"nats": ask}).encode()).rstrip(b"=")
    return understood(b"head." + body + b".signature")


def login(name: str) -> MqttLogin:
    return MqttLogin(
        username=name,
        client_id=name,
        password_sha256=password_digest("pw"),
        user_id=USER,
        device_code="shed",
    )


def test_who_shows_the_certificate_of_a_device_is_this_device_without_a_password(
    authority: Authority,
) -> None:
    tls = {"verified_chains": [[authority.issue_client(DEVICE)[0].read_text()]]}
    for user in ("", DEVICE):
        ask = asking(tls, DEVICE, user)
        assert (ask.username, is_right(ask, login(DEVICE))) == (DEVICE, True)
    for stolen in (asking(tls, OTHER), asking(tls, OTHER, OTHER, "pw"), asking(tls, DEVICE, OTHER)):
        assert not stolen.may_be_known
        assert not is_right(stolen, login(OTHER))


def test_a_certificate_that_names_no_device_replaces_no_password(authority: Authority) -> None:
    tls = {"verified_chains": [[authority.issue_server(["gateway.lan"])[0].read_text()]]}
    assert is_right(asking(tls, DEVICE, DEVICE, "pw"), login(DEVICE))
    for wrong in (asking(tls, DEVICE, DEVICE), asking(tls, DEVICE), asking(None, DEVICE, DEVICE)):
        assert not is_right(wrong, login(DEVICE))


def test_only_what_the_broker_has_verified_counts(authority: Authority) -> None:
    device = authority.issue_client(DEVICE)[0].read_text()
    server = authority.issue_server(["gateway.lan"])[0].read_text()
    assert devices_of({"certs": [device]}) == frozenset()
    assert devices_of({"verified_chains": [[server, device]]}) == frozenset()
    with pytest.raises(ValueError, match="PEM"):
        devices_of({"verified_chains": [["rubbish"]]})
