"""How MQTT clients come in is one clear choice, or one clear line."""

from pathlib import Path
from typing import Any

import pytest

from protocol.errors import SettingsError
from roost.embedded import data_dir
from roost.embedded.broker import EmbeddedBroker
from roost.mqtt_options import MqttOptions
from roost.settings import Bind
from roost.tls_options import TlsOptions


def test_without_a_choice_devices_come_in_on_this_machine_without_tls() -> None:
    found = MqttOptions().settings(has_certificate=True)
    assert (found.bind, found.is_tls, found.web) == (Bind("127.0.0.1", 1883), False, None)


def test_a_listener_with_tls_replaces_the_one_without() -> None:
    # The image sets ROOST_MQTT; whoever asks for TLS gets no port without it.
    options = MqttOptions(
        mqtt="0.0.0.0:1883",
        mqtts="0.0.0.0:8883",
        mqtt_wss=":8084",
        mqtt_client_ca=Path("ca.pem"),
    )
    found = options.settings(has_certificate=True)
    assert (found.bind, found.is_tls) == (Bind("0.0.0.0", 8883), True)
    assert (found.web, found.web_is_tls) == (Bind("127.0.0.1", 8084), True)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"mqtt_ws": ":8083", "mqtt_wss": ":8084"}, "--mqtt-ws or --mqtt-wss"),
        ({"mqtts": ":8883"}, "--mqtts needs a certificate"),
        ({"mqtt_wss": ":8084"}, "--mqtt-wss needs a certificate"),
        ({"mqtt_client_ca": Path("ca.pem")}, "--mqtt-client-ca needs --mqtts"),
        ({"mqtt_fsync": "never"}, "neither always nor"),
        ({"mqtt_fsync": "0"}, "neither always nor"),
        ({"mqtt_fsync": "nan"}, "neither always nor"),
        ({"mqtt_public_url": "https://roost.example"}, "MQTT public URL"),
        ({"mqtt_public_url": "mqtts://user:pw@roost.example"}, "MQTT public URL"),
    ],
)
def test_what_cannot_be_is_one_clear_line(given: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        MqttOptions(**given).settings(has_certificate=False)


@pytest.mark.parametrize(("text", "seconds"), [("always", 0.0), ("0.5", 0.5), ("120", 120.0)])
def test_what_is_acknowledged_goes_to_the_disk_as_often_as_is_set(
    text: str, seconds: float, tmp_path: Path
) -> None:
    found = MqttOptions(mqtt_fsync=text).settings(has_certificate=False)
    assert found.fsync_s == seconds
    secrets = data_dir.read_secrets(tmp_path)
    broker = EmbeddedBroker(
        tmp_path, tmp_path / "log", "127.0.0.1", 0, secrets, fsync_s=found.fsync_s
    )
    broker._write(tmp_path / "conf")
    wanted = "always" if seconds == 0 else f'"{seconds * 1000:.0f}ms"'
    assert f"sync_interval: {wanted}\n" in (tmp_path / "conf").read_text()


def test_a_certificate_needs_its_key() -> None:
    assert TlsOptions().files() is None
    with pytest.raises(SettingsError, match="both --tls-cert and --tls-key"):
        TlsOptions(tls_cert=Path("cert.pem")).files()
