"""Passes on the store's notifications: changes that another process has made."""

from actors.access.lock_outs import LockOuts
from actors.access.sessions import Sessions
from actors.device.registry import Devices
from actors.ports.store import Store
from actors.user.mqtt_relay import MqttRelay


def following(
    store: Store,
    check_s: float,
    mqtt_relay: MqttRelay,
    devices: Devices,
    lock_outs: LockOuts,
    *,
    is_alone: bool,
) -> Sessions:
    """Sessions that follow the store's notifications, and pass on those that are not theirs.

    Args:
        check_s: as of `Sessions`.
        is_alone: no other process changes anything.
    """

    def changed(changed_id: str) -> None:
        mqtt_relay.changed(changed_id)
        lock_outs.look()

    def begun() -> None:
        mqtt_relay.republish()
        lock_outs.look()
        if not is_alone:
            devices.doubt_all()

    return Sessions(store, check_s, changed, mqtt_relay.overwritten, begun, devices.doubt)
