"""How long tasks hold the event loop: while one runs, all others wait.

    lag = LoopLag(time.perf_counter, time.thread_time, held=report)
    lag.install()

A step is what a task does between two checkpoints that wait. Reading the CPU clock is a system
call, so only steps of 10 ms and more are measured closely: their CPU time is what the thread used
since a base that is 5 ms old at most, minus what the other steps since then took. If the machine
took the processor away from one of these, the result is too small; it is never too large by more
than the loop's own work in these 5 ms.
"""

from collections.abc import Callable

import msgspec
import trio

from actors.runtime.histogram import Histogram

# What a step may take: of its own CPU time, and in all.
CPU_MAX_S = 0.050
WALL_MAX_S = 0.500
LOOK_S = 0.010
BASE_EVERY_S = 0.005
FRAMES_SHOWN = 3
BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Held(msgspec.Struct, frozen=True):
    """A step that blocked the loop for too long.

    Attributes:
        where: where its task waits after the step: the innermost frames, innermost first; empty if
        the task has ended.
    """

    task: str
    where: str
    wall_s: float
    cpu_s: float


class LoopLag(trio.abc.Instrument):
    """Measures every step and every pass of the loop.

    Args:
        wall_s: a monotonic clock.
        cpu_s: the CPU time of this thread.
        held: called with each step beyond `CPU_MAX_S` or `WALL_MAX_S`.

    Attributes:
        passes: their durations. A pass lasts from one look at what is ready to the next: as long
            waits who becomes ready just after.
        steps_held: steps beyond either limit.
        worst_wall, worst_cpu: the longest step by either clock.
    """

    def __init__(
        self,
        wall_s: Callable[[], float],
        cpu_s: Callable[[], float],
        held: Callable[[Held], None],
    ) -> None:
        self.passes = Histogram(BOUNDS_S)
        self.steps_held = 0
        self.worst_wall = Held("", "", 0.0, 0.0)
        self.worst_cpu = self.worst_wall
        self._wall_s = wall_s
        self._cpu_s = cpu_s
        self._held = held
        self._step_began_s = self._pass_began_s = wall_s()
        self._base_wall_s, self._base_cpu_s = wall_s(), cpu_s()
        self._others_s = 0.0  # of steps since the base

    def install(self) -> None:
        """Measure from now on."""
        self._step_began_s = self._pass_began_s = self._wall_s()
        self._rebase(self._step_began_s)
        trio.lowlevel.add_instrument(self)

    def after_io_wait(self, timeout: float) -> None:
        self._pass_began_s = self._wall_s()
        if self._pass_began_s - self._base_wall_s > BASE_EVERY_S:
            self._rebase(self._pass_began_s)

    def before_io_wait(self, timeout: float) -> None:
        self.passes.add(self._wall_s() - self._pass_began_s)

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._step_began_s = self._wall_s()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        now_s = self._wall_s()
        took_s = now_s - self._step_began_s
        if took_s < LOOK_S:
            self._others_s += took_s
            return
        used_s = self._cpu_s() - self._base_cpu_s - self._others_s
        self._judge(task, took_s, min(took_s, max(0.0, used_s)))
        self._rebase(self._wall_s())

    def _rebase(self, now_s: float) -> None:
        self._base_wall_s, self._base_cpu_s = now_s, self._cpu_s()
        self._others_s = 0.0

    def _judge(self, task: trio.lowlevel.Task, wall_s: float, cpu_s: float) -> None:
        is_worst = wall_s > self.worst_wall.wall_s or cpu_s > self.worst_cpu.cpu_s
        is_held = wall_s > WALL_MAX_S or cpu_s > CPU_MAX_S
        if not (is_worst or is_held):
            return
        step = Held(task.name, _where(task), wall_s, cpu_s)
        if wall_s > self.worst_wall.wall_s:
            self.worst_wall = step
        if cpu_s > self.worst_cpu.cpu_s:
            self.worst_cpu = step
        if is_held:
            self.steps_held += 1
            self._held(step)


def _where(task: trio.lowlevel.Task) -> str:
    places = [
        f"{frame.f_globals.get('__name__')}.{frame.f_code.co_qualname}:{line}"
        for frame, line in task.iter_await_frames()
    ]
    shown = [place for place in places if not place.startswith("trio.")][-FRAMES_SHOWN:]
    return " < ".join(reversed(shown))
