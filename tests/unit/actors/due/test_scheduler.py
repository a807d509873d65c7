"""Who does the due work."""

from typing import Any

import pytest
import trio
import trio.testing

from actors.adapters.memory.store.store import MemoryStore
from tests.unit.site import Site


@pytest.fixture
def claims(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The claims that reach the store."""
    made: list[str] = []
    for name in ("claim_occurrences", "claim_commands", "claim_deliveries"):
        claim = getattr(MemoryStore, name)

        async def noted(self: Any, *args: Any, claim: Any = claim, name: str = name) -> Any:
            made.append(name)
            return await claim(self, *args)

        monkeypatch.setattr(MemoryStore, name, noted)
    return made


async def test_a_leader_whose_lease_has_run_out_claims_nothing_until_it_runs_again(
    site: Site, claims: list[str]
) -> None:
    """A successor's dashboards were told nothing of what it did (seed 37226)."""
    leadership, scheduler = site.service.leadership, site.service.scheduler
    await trio.testing.wait_all_tasks_blocked()
    claims.clear()
    leadership._alone, leadership._confirmed_s = False, float("-inf")
    assert leadership.leads and not leadership.may_serve
    jobs = [scheduler.jobs[name] for name in ("occurrences", "commands", "webhooks")]
    runs = [job.runs for job in jobs]
    scheduler.take_over()
    with trio.fail_after(5):
        while any(job.runs == before for job, before in zip(jobs, runs, strict=True)):
            await trio.testing.wait_all_tasks_blocked(0.01)
    assert claims == []
    leadership._doubted.set()  # it asks for the lead, and nobody else had it
    with trio.fail_after(5):
        while len(set(claims)) < 3:
            await trio.testing.wait_all_tasks_blocked(0.01)
    assert leadership.may_serve
