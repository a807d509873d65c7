"""All measurements, in turns: a table of medians, and JSON.

    python -m bench.run [--rounds 5] [--only NAME ...] [--json FILE]

Each round runs every measurement once, as a process of its own, so a slow minute of the machine
meets all of them alike. The lines of JSON that it prints are its figures.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

MEASUREMENTS: dict[str, tuple[str, ...]] = {
    "latency": ("latency",),
    "throughput": ("throughput",),
    "ingest": ("ingest", "--rounds", "1"),
    "ingest of one user": ("ingest", "--rounds", "1", "--users", "1", "--devices", "50"),
    "ingest of 5,000 devices": ("ingest", "--rounds", "1", "--devices", "5000"),
    "ingest, ten readings each": (
        "ingest",
        "--rounds",
        "1",
        "--readings",
        "10",
        "--messages",
        "10000",
    ),
    "500/s on 50 dashboards": ("fanout", "500", "50", "10"),
    "1,000/s on 50 dashboards, batches": ("fanout", "1000", "50", "10", "--batch"),
    "20/s on 1,000 dashboards": ("fanout", "20", "1000", "10"),
    "100/s on 5 dashboards": ("fanout", "100", "5", "10"),
    "100/s on 5 dashboards, Mosquitto": ("fanout", "100", "5", "10", "--mosquitto"),
    "visible at 100/s": ("visible", "100", "15"),
    "visible at 100/s, Mosquitto": ("visible", "100", "15", "--mosquitto"),
    "visible at 2,000/s": ("visible", "2000", "15"),
    "visible at 2,000/s, Mosquitto": ("visible", "2000", "15", "--mosquitto"),
    "tenant of 30,000 devices": ("tenant", "30000", "5"),
    "100,000 living devices": ("fleet",),
    "2,000 devices come back": ("reconnect", "2000"),
    "100,000 schedules due within an hour": ("due_hour",),
    "sums": ("sums", "10000", "100", "60"),
    "due": ("due",),
}
WITHIN_S = 900.0


def figures(printed: str) -> Iterator[tuple[str, float]]:
    """The numbers in lines of JSON; `what` or `who` tells the lines apart."""
    for line in printed.splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            of = found.get("what") or found.get("who") or ""
            for name, value in found.items():
                if isinstance(value, int | float) and not isinstance(value, bool):
                    yield (f"{of}: {name}" if of else name), float(value)


def run(arguments: tuple[str, ...]) -> dict[str, float]:
    module, *given = arguments
    done = subprocess.run(
        [sys.executable, "-m", f"bench.{module}", *given],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=WITHIN_S,
    )
    return dict(figures(done.stdout))


def table(found: dict[str, list[dict[str, float]]]) -> list[str]:
    rows: list[tuple[str, ...]] = [("measurement", "figure", "median", "lowest", "highest")]
    for name, rounds in found.items():
        for figure in rounds[0]:
            values = [each[figure] for each in rounds if figure in each]
            numbers = statistics.median(values), min(values), max(values)
            rows.append((name, figure, *(f"{number:g}" for number in numbers)))
    widths = [max(len(row[n]) for row in rows) for n in range(5)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=MEASUREMENTS, default=list(MEASUREMENTS))
    parser.add_argument("--json", type=Path, default=Path("bench-results.json"))
    given = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {name: [] for name in given.only}
    for number in range(1, given.rounds + 1):
        for name in given.only:
            began_s = time.monotonic()
            found[name].append(run(MEASUREMENTS[name]))
            took_s = time.monotonic() - began_s
            print(f"round {number} of {given.rounds}: {name}, {took_s:.0f} s", file=sys.stderr)
            given.json.write_text(json.dumps(found, indent=1) + "\n")
    print("\n".join(table(found)))


if __name__ == "__main__":
    main()
