"""`roost cert`: a private CA, and certificates of it, for trying out and for devices."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from actors.access.mqtt_credentials import client_id_of, username_of
from actors.adapters.system.clocks import SystemClock
from protocol.errors import SettingsError
from protocol.ids import is_uuid
from roost.settings import check_count
from roost.tls.authority import DAYS, DAYS_MAX, Authority

cert_app = App(name="cert", help="A private CA and its certificates, for trying out TLS.")

Folder = Annotated[Path, Parameter(help="Directory of the CA and its certificates.")]
Days = Annotated[int, Parameter(help="How many days the certificate is valid.")]
CERTS = Path("certs")


@cert_app.command(name="server")
def server_certificate(
    names: Annotated[
        list[str], Parameter(help="Host names and addresses by which clients reach the server.")
    ],
    *,
    folder: Folder = CERTS,
    days: Days = DAYS,
) -> None:
    """Make a certificate for a Roost server; also the CA, if the directory has none.

    A running server takes a certificate that replaces its own within ten seconds.
    """
    if not names:
        raise SettingsError("name the server: roost cert server roost.example 192.0.2.7")
    authority = _authority(folder)
    certificate, key = authority.issue_server(names, check_count(days, "days", 1, DAYS_MAX))
    print(f"certificate {certificate}")
    print(f"key {key}")
    print(f"start roost up --tls-cert {certificate} --tls-key {key} --mqtts 0.0.0.0:8883")


@cert_app.command(name="device")
def device_certificate(
    client_id: Annotated[str, Parameter(help="The device's client id, or its id.")],
    *,
    folder: Folder = CERTS,
    days: Days = DAYS,
) -> None:
    """Make a certificate for a device of a server with --mqtt-client-ca.

    It replaces the device's password.
    """
    name = client_id_of(client_id) if is_uuid(client_id) else client_id
    if username_of(name) != name or not name.startswith(client_id_of("")):
        raise SettingsError(f"{client_id!r} is not the client id of a device (device-…)")
    _issue_client(folder, name, days)
    print(f"client_id {name}")


@cert_app.command(name="client")
def client_certificate(
    name: Annotated[str, Parameter(help="A name of your choice: mosquitto, gateway-1.")],
    *,
    folder: Folder = CERTS,
    days: Days = DAYS,
) -> None:
    """Make a certificate for another MQTT client of such a server, such as a bridge.

    It replaces no password: the client logs in with its own.
    """
    if username_of(name) is not None:
        raise SettingsError(f"{name!r} is of a device or a listener: use roost cert device")
    _issue_client(folder, name, days)


def _issue_client(folder: Path, name: str, days: int) -> None:
    authority = _authority(folder)
    certificate, key = authority.issue_client(name, check_count(days, "days", 1, DAYS_MAX))
    print(f"certificate {certificate}")
    print(f"key {key}")


def _authority(folder: Path) -> Authority:
    authority = Authority.of(folder, SystemClock().now_us())
    how = "made now; its key is ca.key" if authority.is_new else "as before"
    print(f"ca {folder / 'ca.pem'} ({how})")
    return authority
