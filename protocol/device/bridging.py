"""Configuration of a Mosquitto that passes on what Roost publishes for a user's listeners.

The embedded broker speaks MQTT 3.1.1 only. Mosquitto speaks 3.1.1 to Roost and 5 to its own
clients, such as Home Assistant. See mosquitto.conf(5), "Configuring Bridges".
"""

from urllib.parse import urlsplit

from protocol.device.listeners import Listener, live_prefix

_LINES = """\
# /etc/mosquitto/conf.d/roost.conf
connection roost
address {address}
bridge_protocol_version mqttv311
remote_username {username}
remote_password {password}
remote_clientid {username}-bridge
topic {prefix}/# in 0
cleansession true
try_private false
notifications false
restart_timeout 2 30
"""
# `try_private` and `notifications`: nats-server knows no private bridges, and a listener may not
# publish. `restart_timeout`: it closes a client id that comes again within a second.
_TLS = """\
# With a CA of your own, its file. If clients need a certificate, also bridge_certfile and
# bridge_keyfile.
bridge_cafile /etc/ssl/certs/ca-certificates.crt
"""


def bridge_lines(listener: Listener, password: str, url: str) -> str:
    """Lines for a file that `mosquitto.conf` includes.

    Args:
        url: of the broker, `mqtt://` or `mqtts://`.
    """
    parts = urlsplit(url)
    is_tls = parts.scheme == "mqtts"
    host = parts.hostname or ""
    shown = f"[{host}]" if ":" in host else host
    lines = _LINES.format(
        address=f"{shown}:{parts.port or (8883 if is_tls else 1883)}",
        username=listener.username,
        password=password,
        prefix=live_prefix(listener.user_id),
    )
    return lines + _TLS if is_tls else lines
