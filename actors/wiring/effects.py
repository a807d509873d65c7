"""Carries out the effects of device actors."""

from actors.device.timer import DeviceTimer
from actors.due.scheduler import Scheduler
from actors.ingest.notices import Notices
from actors.ingest.recent_messages import RecentMessages
from actors.ingest.refusal_budget import RefusalBudget
from actors.ingest.writer import Writer
from actors.leadership import Leadership
from actors.user.mqtt_relay import MqttRelay
from actors.user.registry import Users
from protocol.messages import (
    ArmAlarm,
    CameOnline,
    DeviceEffect,
    LeaseEnded,
    LeaseRenewed,
    LeaseResized,
    Live,
    Notice,
)
from protocol.records import LoadedDevice, WriteUnit


class DeviceEffects:
    """Device actors and the parts that they inform depend on each other: dashboards ask devices for
    their state, the timer tells them of silence. So `connect` completes the circle once all parts
    are created; no actor runs before.
    """

    _users: Users
    _scheduler: Scheduler
    _device_timer: DeviceTimer

    def __init__(
        self,
        leadership: Leadership,
        writer: Writer,
        refusals: RefusalBudget,
        recent_messages: RecentMessages,
        notices: Notices,
        mqtt_relay: MqttRelay,
    ) -> None:
        self._leadership = leadership
        self._writer = writer
        self._refusals = refusals
        self._recent_messages = recent_messages
        self._notices = notices
        self._mqtt_relay = mqtt_relay

    def connect(self, users: Users, scheduler: Scheduler, device_timer: DeviceTimer) -> None:
        self._users = users
        self._scheduler = scheduler
        self._device_timer = device_timer

    def perform(self, effect: DeviceEffect) -> None:
        if self._leadership.gives_up and not isinstance(effect, WriteUnit):
            return  # its actor is about to end, and its unit will be refused
        leases = self._device_timer.leases
        match effect:  # in the order of their frequency
            case Live():
                self._users.tell(effect.user_id, effect.event)
                self._mqtt_relay.tell(effect.user_id, effect.device_code, effect.event)
            case LeaseRenewed():
                leases.renew(effect.key, effect.after_s)
            case WriteUnit():
                if effect.rejections:
                    self._recent_messages.refused(effect.device, effect.rejections)
                self._writer.submit(self._refusals.judged(effect))
            case Notice():
                self._notices.tell(effect)
            case LeaseResized(key=key, after_s=after_s):
                leases.resize(key, after_s)
            case LeaseEnded(key=key):
                leases.end(key)
            case ArmAlarm():
                leases.wait(effect.key, effect.feed_num, effect.since_us, effect.for_s)
            case CameOnline(device_num=device_num):
                self._scheduler.nudge(device_num)

    def settings_renewed(self, user_id: str) -> None:
        """A change of this user's objects may have been committed after all."""
        self._users.renew(user_id)
        self._mqtt_relay.changed(user_id)

    def device_healed(self, loaded: LoadedDevice) -> None:
        """A device that could not be read can be read again."""
        self._device_timer.device_healed(loaded)

    def device_starts(self, loaded: LoadedDevice) -> None:
        """An actor starts with this device."""
        self._device_timer.device_starts(loaded)
