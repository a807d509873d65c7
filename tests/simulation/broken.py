"""What a checker says: which invariant is broken, and how it was seen."""


class Broken(AssertionError):
    """An invariant of the design (I1 to I9) does not hold."""

    def __init__(self, invariant: str, what: str) -> None:
        super().__init__(f"{invariant}: {what}")
        self.invariant = invariant
