"""What may end the process: this list is complete.

A background task that fails is restarted for ever, with growing pauses
(`Supervisor.run_essential`). Nothing that devices, people or other servers send ends the service.
These do:

- **SIGTERM, Ctrl-C, `sys.exit`**: somebody requested it. They are not `Exception`s, and nothing
  catches them.
- **Trio is broken** (`trio.TrioInternalError`): no task of this process can be relied on any more,
  so a new process is better than a pause.
- **At the start**: invalid settings (`SettingsError`), an address that is in use, a database that
  was migrated by a newer version. An operator is present, and no work is lost yet.
- **A server of `roost up` that does not start**, eleven times in a row (`roost.embedded.child`):
  its port is taken, or its files are damaged. Nothing can be served without it, and whoever started
  this process must see that it ended.

A broken invariant of the writer is not among them: the writer then acknowledges nothing and is
restarted, and the rest of the service continues.
"""

import trio


def ends_process(error: BaseException) -> str | None:
    """Why this failure of a task must end the process; None if a restart can solve it."""
    if isinstance(error, BaseExceptionGroup):
        reasons = [ends_process(each) for each in error.exceptions]
        return next((reason for reason in reasons if reason is not None), None)
    if not isinstance(error, Exception):
        return "somebody asked for the end"
    if isinstance(error, trio.TrioInternalError):
        return "the scheduler of this process is broken"
    return None
