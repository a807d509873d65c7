"""The habits of the brokers as these tests run them: each is held to its own."""

import msgspec

from actors.adapters.memory.broker import habits

# How often the Mosquitto of these tests saves. It loses more by a kill the longer that is; nothing
# else depends on it.
AUTOSAVE_S = 1
SPARE_S = 1.0  # a loaded machine is later than what was measured

NATS = msgspec.structs.replace(habits.NATS, saved_after_s=SPARE_S)
MOSQUITTO_5 = msgspec.structs.replace(habits.MOSQUITTO_5, saved_after_s=AUTOSAVE_S + 2 * SPARE_S)
MOSQUITTO_311 = msgspec.structs.replace(
    habits.MOSQUITTO_311, saved_after_s=AUTOSAVE_S + 2 * SPARE_S
)
