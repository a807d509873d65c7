"""Whether the service serves, judged by what really passed through it (CONTRACT §2).

| answer | status | when |
|---|---|---|
| 200 | `ready` | canaries pass by every session, and nothing waits for an operator |
| 200 | `degraded` | at least one session's canaries pass; `checks` says what does not |
| 503 | `not ready` | no canary passes, or none has yet |
| 503 | `standby` | another process serves the devices |
"""

import trio

from actors.service import Service
from protocol.rest.shapes import Readiness
from web.ops.server_look import OK, ServerLook

# A commit that waits for longer than this needs an operator.
WRITER_LAG_S = 10.0


class Looks:
    """At the servers behind the service; earlier looks count, too."""

    def __init__(self, service: Service) -> None:
        async def ping() -> str:
            await service.store.ping()
            return ""

        self.database = ServerLook("database", ping, service.supervisor)
        health = service.broker_health
        self.broker = (
            None if health is None else ServerLook("broker", health.health, service.supervisor)
        )


async def assess(service: Service, looks: Looks | None = None) -> Readiness:
    """What works: each part is "ok", or has its problem. Takes half a second at most."""
    looks = looks or Looks(service)
    told = {"database": "", "broker": ""}

    async def look(name: str, at: ServerLook) -> None:
        told[name] = await at.tell()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(look, "database", looks.database)
        if looks.broker is not None:
            nursery.start_soon(look, "broker", looks.broker)
    checks = {
        "database": told["database"],
        "broker": _broker(service, told["broker"]),
        "writer": _writer(service),
        "canaries": _canaries(service),
    }
    if service.machine is not None:
        checks |= service.machine.checks()
    checks |= service.supervisor.health.degraded()  # tasks that fail, work put aside
    if service.leadership.is_standby:
        # Its dashboards would see nothing live, so a load balancer should choose the leader.
        checks["broker"] = checks["canaries"] = "stands by: another process serves the devices"
        return Readiness("standby", checks)
    canaries = service.canaries
    if not canaries.is_proven or canaries.failing_since_s is not None:
        return Readiness("not ready", checks)
    good = all(what == OK for what in checks.values())
    return Readiness("ready" if good else "degraded", checks)


def _broker(service: Service, told: str) -> str:
    """What it says itself, and whether our sessions are connected."""
    own = service.own_sessions
    sessions, connected = len(own.redeliveries), own.connected_count
    problems = [] if told in ("", OK) else [told]
    if connected != sessions:
        problems.append(f"{connected} of {sessions} sessions are connected")
    return "; ".join(problems) or OK


def _writer(service: Service) -> str:
    stuck_s = service.writer.statistics().stuck_since_s
    lag_s = 0.0 if stuck_s is None else trio.current_time() - stuck_s
    return OK if lag_s < WRITER_LAG_S else f"a commit has waited for {lag_s:.0f} s"


def _canaries(service: Service) -> str:
    canaries = service.canaries
    if not canaries.is_proven:
        return "none has passed yet"
    late = [f"{name}: none for {for_s:.0f} s" for name, for_s in canaries.failing.items()]
    return "; ".join(late) or OK
