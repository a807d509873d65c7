"""How much a device and a user may send, and how much is kept of what is refused."""

import msgspec

from actors.ingest.rates import RateSettings
from actors.ingest.refusal_budget import RefusalLimits


class IngestBounds(msgspec.Struct, frozen=True, kw_only=True):
    rates: RateSettings = RateSettings()
    refusals: RefusalLimits = RefusalLimits.usual()
