"""What devices said and the broker took: the truth that the checkers hold the store against."""

from collections import defaultdict

import msgspec

from actors.adapters.memory.broker.published import Published
from tests.simulation.plan import Hostile, Publish


class Entry(msgspec.Struct, kw_only=True):
    """One reading of a plan, and every copy of its message that the broker took."""

    step: Publish | Hostile
    owner: str
    key: str
    mark: str  # what tells it from every other: its value, or what its payload holds
    copies: list[Published]
    has_identity: bool

    @property
    def is_owed(self) -> bool:
        """Whether the broker acknowledged it to the device and did not lose it itself."""
        return any(copy.qos and not copy.lost for copy in self.copies)

    @property
    def most(self) -> int:
        """How often it may be stored.

        Once, where it has an identity of its own, and where it was said once. What was said twice
        in the same words, by its device or by a broker that forgot our acknowledgement, is
        ambiguous when it comes again: rather twice than lost (I2).
        """
        lives = 2 if self.step.device.endswith("/visitor") else 1  # in the feed before, and anew
        if self.has_identity:
            return lives
        if len(self.copies) == 1 and not self.copies[0].forgotten_acks:
            return 1
        return sum(copy.deliveries for copy in self.copies)

    @property
    def most_as_first(self) -> int:
        """How many more the broker's copy may be, which is taken if its feed has no reading."""
        lives = 2 if self.step.device.endswith("/visitor") else 1
        return 0 if self.has_identity else lives * any(copy.retain for copy in self.copies)

    @property
    def most_refusals(self) -> int:
        """A refusal has no identity, whatever its message has; of the broker's copies one is kept,
        for each reason."""
        if self.has_identity or len(self.copies) > 1:
            return sum(max(1, copy.deliveries) for copy in self.copies)
        return self.most


class SentLog:
    """Entries by their mark."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.repeats: dict[str, list[Published]] = defaultdict(list)  # of "switch", by device

    def write(self, entry: Entry) -> Entry:
        """Note what will be said, before it is."""
        return self.entries.setdefault(entry.mark, entry)
