"""Search for a seed that breaks an invariant, and make what broke it small.

pytest --seeds 500             # seeds 0 to 499
pytest --seed 1234             # that one, with its trace
pytest --plan=FILE             # a plan that an earlier failure left
"""

from collections.abc import Callable
from pathlib import Path

import msgspec

from tests.simulation.broken import Broken
from tests.simulation.plan import Plan, described
from tests.simulation.running import Outcome, run

# Each try is a whole life of a third of a second.
TRIES_MAX = 150
TRACE_SHOWN = 60
FAILURES = Path("simulation-failures")


def kind_of(error: BaseException | None) -> str:
    """What a smaller plan has to fail with, to count as the same failure."""
    if error is None:
        return ""
    return error.invariant if isinstance(error, Broken) else type(error).__name__


def shrink(failed: Outcome, run: Callable[[Plan], Outcome] = run) -> Outcome:
    """A smaller plan that fails in the same way: steps are left out, half of them at first.

    Bounded by 150 tries; a plan that fails by chance of the schedule may stay as it is.
    """
    wanted = kind_of(failed.error)
    best, tries = failed, 0
    size = max(1, len(best.plan.steps) // 2)
    while True:
        first, found = 0, False
        while first < len(best.plan.steps) and tries < TRIES_MAX:
            steps = best.plan.steps[:first] + best.plan.steps[first + size :]
            outcome = run(msgspec.structs.replace(best.plan, steps=steps))
            tries += 1
            if kind_of(outcome.error) == wanted:
                best, found = outcome, True
            else:
                first += size
        if tries >= TRIES_MAX or (size == 1 and not found):
            return best
        size = max(1, size // 2)


def report(failed: Outcome, small: Outcome, folder: Path = FAILURES) -> str:
    """What a person needs: what broke, how to see it again, the small plan and its trace."""
    seed = failed.plan.seed
    folder.mkdir(exist_ok=True)
    path = folder / f"seed-{seed}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(small.plan)))
    (folder / f"seed-{seed}.trace").write_text("\n".join(failed.world.trace.lines) + "\n")
    python = "  .venv/bin/python -m"
    lines = [
        f"{type(failed.error).__name__}: {failed.error}",
        "",
        "Replay it, with its trace:",
        f"{python} pytest --seed {seed}",
        f"A plan of {len(small.plan.steps)} steps (of {len(failed.plan.steps)}) that fails alike:",
        f"{python} pytest --plan={path}",
        *(f"  {described(step)}" for step in small.plan.steps),
        f"with: {type(small.error).__name__}: {small.error}",
        "",
        "The end of its trace:",
        *small.world.trace.lines[-TRACE_SHOWN:],
    ]
    return "\n".join(lines)


def read_plan(path: Path) -> Plan:
    """A plan from its file. Raises `msgspec.ValidationError` for what is none."""
    return msgspec.json.decode(path.read_bytes(), type=Plan)
