"""Options of the embedded broker's listeners (`roost up`)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from protocol.errors import SettingsError
from roost.embedded.broker import FSYNC_S
from roost.settings import Bind, check_fsync, check_mqtt_address, parse_bind

MQTT = "127.0.0.1:1883"


class MqttSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Attributes:
    is_tls, web_is_tls: whether these listeners speak TLS, and nothing else.
    web: where MQTT over WebSocket is; None: nowhere.
    client_ca: clients of the first listener need a certificate of this CA.
    public_url: the address that people are shown for devices; None: that of the listener.
    fsync_s: how often what the broker has acknowledged goes to the disk; 0: before it is
        acknowledged.
    """

    bind: Bind
    is_tls: bool = False
    web: Bind | None = None
    web_is_tls: bool = False
    client_ca: Path | None = None
    public_url: str | None = None
    fsync_s: float = FSYNC_S

    @property
    def needs_certificate(self) -> bool:
        return self.is_tls or self.web_is_tls


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class MqttOptions:
    """The given values; `settings` checks them."""

    mqtt: Annotated[
        str | None, Parameter(help=f"Address for devices: HOST:PORT. Default: {MQTT}.")
    ] = None
    mqtts: Annotated[
        str | None,
        Parameter(help="Address for devices over TLS, in place of --mqtt: HOST:PORT."),
    ] = None
    mqtt_client_ca: Annotated[
        Path | None,
        Parameter(
            help="CA certificates in PEM. Clients of --mqtts then need a certificate of theirs; one"
            " that names a device by its client id replaces its password."
        ),
    ] = None
    mqtt_ws: Annotated[
        str | None,
        Parameter(help="Address for MQTT over WebSocket: HOST:PORT; the path is /mqtt."),
    ] = None
    mqtt_wss: Annotated[
        str | None,
        Parameter(help="Address for it over TLS, in place of --mqtt-ws: HOST:PORT."),
    ] = None
    mqtt_public_url: Annotated[
        str | None, Parameter(help="Address that people are shown for devices to connect to.")
    ] = None

    mqtt_fsync: Annotated[
        str,
        Parameter(
            help="When what the broker acknowledges is on the disk, should the machine lose power:"
            " always (before it is acknowledged), or the seconds within which it is."
        ),
    ] = str(FSYNC_S)

    def settings(self, *, has_certificate: bool) -> MqttSettings:
        """Raises `SettingsError`."""
        if self.mqtt_ws is not None and self.mqtt_wss is not None:
            raise SettingsError(
                "the broker has one listener for WebSockets: --mqtt-ws or --mqtt-wss"
            )
        if self.mqtt_client_ca is not None and self.mqtts is None:
            raise SettingsError("--mqtt-client-ca needs --mqtts")
        for option in ("mqtts", "mqtt_wss"):
            if getattr(self, option) is not None and not has_certificate:
                name = option.replace("_", "-")
                raise SettingsError(f"--{name} needs a certificate: --tls-cert and --tls-key")
        web = self.mqtt_ws or self.mqtt_wss
        return MqttSettings(
            bind=parse_bind(self.mqtts or self.mqtt or MQTT, "mqtts" if self.mqtts else "mqtt"),
            is_tls=self.mqtts is not None,
            web=None if web is None else parse_bind(web, "mqtt ws"),
            web_is_tls=self.mqtt_wss is not None,
            client_ca=self.mqtt_client_ca,
            fsync_s=check_fsync(self.mqtt_fsync),
            public_url=check_mqtt_address(self.mqtt_public_url),
        )
