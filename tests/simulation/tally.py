"""What a run of the tests found and did, told at its end."""

from collections import Counter

import pytest

found: dict[str, str] = {}  # planted mistakes: by which seed and which invariant
fired: Counter[str] = Counter()  # faults that had an effect, over all seeds of the search


def tell(reporter: pytest.TerminalReporter) -> None:
    if found:
        reporter.section("planted mistakes")
        for name, how in found.items():
            reporter.write_line(f"{name:<45} {how}")
    if fired:
        reporter.section("faults that fired")
        for name, times in sorted(fired.items()):
            reporter.write_line(f"{name:<45} {times}")
