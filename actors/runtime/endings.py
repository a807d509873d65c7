"""What may end the process: this page, and nothing else.

A background task that fails is started again, for ever, with growing pauses
(`Supervisor.run_essential`); nothing that devices, people or other servers send ends the service.
These do:

- **SIGTERM, Ctrl-C, `sys.exit`**: somebody asked for it. They are no `Exception`, and nobody
  catches them.
- **Trio is broken** (`trio.TrioInternalError`): no task of this process can be trusted to run
  again, so a new process is better than a pause.
- **At the start**: settings that cannot work (`SettingsError`), an address that is in use, a
  database that was migrated by a newer version. An operator looks on, and no work is lost yet.
- **A server of `roost up` that does not start**, eleven times in a row (`roost.embedded.child`):
  its port is taken, its files are damaged. Without it nothing can be served, and whoever started
  this process shall see that it ended.

A broken invariant of the writer is not among them: it acknowledges nothing then, is started again,
and the rest of the service goes on.
"""

import trio


def ends_process(error: BaseException) -> str | None:
    """Why this failure of a task must end the process; None where a new start can heal it."""
    if isinstance(error, BaseExceptionGroup):
        reasons = [ends_process(each) for each in error.exceptions]
        return next((reason for reason in reasons if reason is not None), None)
    if not isinstance(error, Exception):
        return "somebody asked for the end"
    if isinstance(error, trio.TrioInternalError):
        return "the scheduler of this process is broken"
    return None
