"""Classic mistakes with what is retained: old over new, and never heard."""

from actors.ingest.own_sessions import OwnSessions
from actors.user.mqtt_relay import MqttRelay
from actors.user.retained import UNKNOWN, Retained
from tests.simulation.planted import Patch, plant


@plant("what was read is retained over what was told")
def old_over_new(patch: Patch) -> None:
    patch.setattr(Retained, "version", lambda self, topic: UNKNOWN)


@plant("a broker that is back is told what changes only")
def not_anew(patch: Patch) -> None:
    connected = OwnSessions.connected

    def mistaken(self: OwnSessions, session: str, connection: int) -> None:
        self._can_send = lambda: None
        connected(self, session, connection)

    patch.setattr(OwnSessions, "connected", mistaken)


@plant("who subscribes is told nothing of what was said meanwhile")
def not_told(patch: Patch) -> None:
    patch.setattr(MqttRelay, "arrived", lambda self, user_id: None)


@plant("who logged in before the lead is told nothing again")
def not_welcomed(patch: Patch) -> None:
    patch.setattr(MqttRelay, "_welcome_early", lambda self, user_ids: None)


@plant("a change that may have been done is no change for listeners")
def not_looked_at(patch: Patch) -> None:
    patch.setattr(MqttRelay, "changed", lambda self, user_id: None)
