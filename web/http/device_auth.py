"""The login of a device over HTTP: Basic (RFC 7617), with what the device has for MQTT."""

import base64
import hmac

from quart import Request

from actors.ports.store import Store
from protocol.errors import Unauthorized
from protocol.ids import password_digest
from protocol.problems.detail import Detail
from protocol.records import MqttLogin
from web.http.addresses import Addresses
from web.http.failed_auth import FailedAuth

HEADER_MAX = 512


class DeviceAuth:
    """`failed`: shared with tokens, because both are guessed from the same networks."""

    def __init__(self, store: Store, addresses: Addresses, failed: FailedAuth) -> None:
        self._store = store
        self._addresses = addresses
        self._failed = failed

    async def login_of(self, request: Request) -> MqttLogin:
        """Raises:
        Unauthorized: there is no login, or it is not, or no longer, a device's.
        TooMany, Busy: like `FailedAuth.trying`.
        """
        async with self._failed.trying(self._addresses.network(request)):
            username, password = _basic(request.headers.get("Authorization", ""))
            login = (await self._store.logins([username])).get(username)
            given = password_digest(password)
            if login is None or not hmac.compare_digest(given, login.password_sha256):
                raise _wrong()
            return login


def _basic(header: str) -> tuple[str, str]:
    kind, _, coded = header.partition(" ")
    if kind.lower() != "basic" or len(coded) > HEADER_MAX:
        raise _wrong()
    try:
        said = base64.b64decode(coded.strip(), validate=True).decode()
    except ValueError:  # of base64, or of UTF-8
        raise _wrong() from None
    username, colon, password = said.partition(":")
    if not colon or "\0" in username:
        raise _wrong()
    return username, password


def _wrong() -> Unauthorized:
    return Unauthorized(Detail("device_login_invalid"))
