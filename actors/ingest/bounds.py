"""How much a device and a user may send, and how much of refused and retained messages is kept."""

import msgspec

from actors.ingest.rates import RateSettings
from actors.ingest.refusal_budget import RefusalLimits
from actors.ingest.retained_rules import Bounds as RetainedBounds


class IngestBounds(msgspec.Struct, frozen=True, kw_only=True):
    rates: RateSettings = RateSettings()
    refusals: RefusalLimits = msgspec.field(default_factory=RefusalLimits.usual)
    retained: RetainedBounds = RetainedBounds()
