"""Creates devices' MQTT logins, for REST, the command line and the demo."""

import re

from actors.ports.ids import Ids
from protocol.device.listeners import Listener
from protocol.ids import password_digest
from protocol.records import Device, MqttLogin

LISTENER_PREFIX = "listener-"
_ISSUED = re.compile(r"(?:device|listener)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


def username_of(client_id: str) -> str | None:
    """The user name that belongs to this client id; None if Roost never issues such an id."""
    found = _ISSUED.match(client_id)
    return None if found is None else found[0]


def client_id_of(device_id: str) -> str:
    """The client id of a device, which is also its user name."""
    return f"device-{device_id}"


def new_listener(
    user_id: str, ids: Ids, now_us: int, *, home_assistant: bool
) -> tuple[Listener, str]:
    """A read-only login for a user's listeners, and its password."""
    password = ids.secret()
    listener = Listener(
        user_id=user_id,
        username=f"{LISTENER_PREFIX}{ids.uuid()}",
        password_sha256=password_digest(password),
        home_assistant=home_assistant,
        created_us=now_us,
    )
    return listener, password


def new_login(device: Device, ids: Ids) -> tuple[MqttLogin, str]:
    """A login with a new password, and the password, which is not stored anywhere."""
    password = ids.secret()
    login = MqttLogin(
        username=device.client_id,
        client_id=device.client_id,
        password_sha256=password_digest(password),
        user_id=device.user_id,
        device_code=device.code,
    )
    return login, password
