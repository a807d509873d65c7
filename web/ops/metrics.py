"""Prometheus metrics, read from plain counters on request (an increment must not cost 1.2 µs)."""

from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from typing import Protocol

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from actors.runtime.histogram import Histogram
from actors.runtime.loop_lag import LoopLag
from actors.service import Service
from protocol.dead_letters import KINDS
from protocol.times import SECOND_US
from web.http.connections import Connections
from web.http.sockets import Sockets

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class CertificateFigures(Protocol):
    """The certificate of this server.

    Attributes:
        not_after_us: when it ends.
        reloads: how often newer files were read.
        trouble: why newer files are not used; "" if they are.
    """

    @property
    def not_after_us(self) -> int: ...

    reloads: int
    trouble: str


class ProcessFigures(msgspec.Struct, frozen=True):
    """Figures of the process that the service does not have.

    Attributes:
        lag: of the event loop.
        lines_dropped: log lines without room so far.
        connections: of the web server.
        certificates: None: without TLS.
    """

    lag: LoopLag
    lines_dropped: Callable[[], int]
    connections: Connections
    certificates: CertificateFigures | None = None


class ProcessCollector(Collector):
    def __init__(self, process: ProcessFigures) -> None:
        self._process = process

    def collect(self) -> Iterator[Metric]:
        lag = self._process.lag
        what = "Passes of the event loop: so long waits what becomes ready."
        yield _histogram("roost_loop_lag_seconds", what, lag.passes)
        worst = GaugeMetricFamily(
            "roost_loop_worst_step_seconds", "The longest step of a task.", labels=["clock"]
        )
        worst.add_metric(["wall"], lag.worst_wall.wall_s)
        worst.add_metric(["cpu"], lag.worst_cpu.cpu_s)
        yield worst
        yield _counter("roost_loop_held", "Steps that held the loop too long.", lag.steps_held)
        dropped = self._process.lines_dropped()
        yield _counter("roost_log_lines_dropped", "Nobody read them fast enough.", dropped)
        open_now = self._process.connections
        yield _gauge("roost_http_connections", "Open to the web server.", len(open_now))
        closed = CounterMetricFamily(
            "roost_http_connections_closed", "Closed by a bound, by which.", labels=["why"]
        )
        for why, count in open_now.closed_for.items():
            closed.add_metric([why], count)
        yield closed
        if self._process.certificates is not None:
            yield from _certificate(self._process.certificates)


class HouseCollector(Collector):
    """No label per device: half a million series are of no use. REST has the figures of a
    device."""

    def __init__(
        self, service: Service, sockets: Sockets, durations: Mapping[str, Histogram]
    ) -> None:
        self._service = service
        self._sockets = sockets
        self._durations = durations

    def collect(self) -> Iterator[Metric]:
        service = self._service
        total = service.counters.total
        readings = CounterMetricFamily(
            "roost_readings", "Readings by what became of them.", labels=["outcome"]
        )
        for outcome in ("received", "stored", "duplicate", "refused", "limited", "shed", "unowned"):
            readings.add_metric([outcome], getattr(total, outcome))
        yield readings
        not_kept = service.refusals.not_kept
        yield _counter("roost_refusals_not_kept", "Beyond the budget: counted.", not_kept)
        yield _gauge("roost_readings_in_flight", "Readings not yet committed.", total.in_flight)
        yield from self._gateway()
        yield from self._writer()
        yield from self._delays()
        yield from self._time()
        yield _gauge("roost_device_actors", "Living device actors.", len(service.devices))
        yield _gauge("roost_user_actors", "Users with somebody watching.", len(service.users))
        yield _gauge("roost_websockets", "Open dashboards.", self._sockets.count)
        yield _counter("roost_actor_crashes", "Actor failures.", service.supervisor.crashes)

    def _time(self) -> Iterator[Metric]:
        service, scheduler = self._service, self._service.scheduler
        command_outbox, leases = scheduler.command_outbox, service.device_timer.leases
        webhook_sender = scheduler.webhook_sender
        leads = service.leadership.leads
        yield _gauge("roost_leads", "1 where this process serves the devices.", float(leads))
        yield _counter(
            "roost_stepped_down",
            "Leads that another process took.",
            service.leadership.stepped_down,
        )
        yield _counter(
            "roost_gave_way",
            "Leads left to a process that hears the broker.",
            service.leadership.gave_way,
        )
        yield from self._canaries()
        yield _counter("roost_timer_rings", "Moments that came.", scheduler.timer.rings)
        runs = CounterMetricFamily("roost_job_runs", "Looks for due work.", labels=["job"])
        for job in scheduler.jobs.values():
            runs.add_metric([job.name], job.runs)
        yield runs
        yield _counter("roost_commands_published", "Taken by the broker.", command_outbox.published)
        yield _counter("roost_commands_late", "Expired on the way to it.", command_outbox.expired)
        yield _counter("roost_webhooks_delivered", "Taken by receivers.", webhook_sender.delivered)
        yield _counter("roost_webhooks_failed", "Tries that failed.", webhook_sender.failed)
        letters = GaugeMetricFamily(
            "roost_dead_letters", "Work that was put aside, by kind.", labels=["work"]
        )
        for work in KINDS:
            letters.add_metric([work], scheduler.dead_letters.counts.get(work, 0))
        yield letters
        failures = CounterMetricFamily(
            "roost_task_failures", "Failures of background tasks.", labels=["task"]
        )
        for task, count in service.supervisor.health.failures.items():
            failures.add_metric([task], count)
        yield failures
        noticed = service.sessions.misunderstood
        yield _counter("roost_notices_misunderstood", "Of the database, naming nobody.", noticed)
        mqtt_relay, rolling = service.mqtt_relay, scheduler.rolling
        yield _counter("roost_listened", "Published again for listeners.", mqtt_relay.published)
        yield _counter("roost_listened_dropped", "Not taken by the broker.", mqtt_relay.dropped)
        yield _counter("roost_rollup_seconds", "Spent on sums for charts.", rolling.took_s)
        yield _gauge("roost_rollup_waiting", "Commits that are not summed up yet.", rolling.left)
        yield _gauge("roost_leases", "Devices whose silence is watched.", len(leases))
        yield _counter("roost_leases_expired", "Silences that ended one.", leases.expired)

    def _canaries(self) -> Iterator[Metric]:
        canaries = self._service.canaries
        yield _counter("roost_canaries", "Probes that went the whole way.", canaries.passed_total)
        took = GaugeMetricFamily(
            "roost_canary_seconds", "The whole way of the newest probe.", labels=["session"]
        )
        late = GaugeMetricFamily(
            "roost_canary_late", "1 where a session's probes are late.", labels=["session"]
        )
        failing = canaries.failing
        for name, canary in canaries.canaries.items():
            if canary.took_s is not None:
                took.add_metric([name], canary.took_s)
            late.add_metric([name], float(name in failing))
        yield from (took, late)

    def _gateway(self) -> Iterator[Metric]:
        gateway, sessions = self._service.gateway, self._service.own_sessions
        yield _counter("roost_mqtt_messages", "Messages delivered to us.", gateway.messages)
        yield _counter("roost_mqtt_redelivered", "Known again and not taken.", sessions.joined)
        repeats = sum(redelivery.repeats for redelivery in sessions.redeliveries.values())
        yield _counter("roost_mqtt_ambiguous", "Taken though perhaps known.", repeats)
        yield _counter("roost_mqtt_untaken", "Left to the broker, no room.", gateway.left.untaken)
        limits = self._service.limits
        over = CounterMetricFamily(
            "roost_mqtt_over_rate",
            "Messages above the rate of their device or user: counted, not kept.",
            labels=["qos"],
        )
        over.add_metric(["0"], limits.shed)
        over.add_metric(["1"], limits.refused)
        yield over
        yield _counter("roost_mqtt_floods", "Devices shut out.", self._service.floods.total)
        yield _counter("roost_mqtt_foreign", "On topics of no device.", gateway.bad_topics)
        yield _counter("roost_mqtt_failed", "Mistakes of ours over them.", gateway.failures)
        yield _gauge("roost_mqtt_in_flight", "Messages not yet committed.", gateway.room.messages)
        unsettled, oldest_s = sessions.unsettled()
        yield _gauge("roost_mqtt_unsettled", "Taken and not acknowledged.", unsettled)
        yield _gauge("roost_mqtt_unsettled_seconds", "For how long the first of them.", oldest_s)
        cleared = self._service.retained.cleared
        yield _counter("roost_retained_cleared", "Retained messages that were cleared.", cleared)
        yield _counter("roost_mqtt_given_up", "Taken, then left to the lead.", gateway.given_up)
        held = GaugeMetricFamily(
            "roost_broker_waiting", "What the broker holds for a session.", labels=["session"]
        )
        for name, count in self._service.backlog.waiting.items():
            held.add_metric([name], count)
        yield held
        connected = sessions.connected_count
        yield _gauge("roost_mqtt_sessions", "Connected sessions of ours.", connected)

    def _delays(self) -> Iterator[Metric]:
        """How long people and devices wait for Roost."""
        service = self._service
        what = "From a message's arrival at QoS 1 to its commit."
        yield _histogram("roost_message_commit_seconds", what, service.gateway.delays)
        what = "From an event to the write of its frame to a dashboard."
        yield _histogram("roost_live_update_seconds", what, service.users.delays)
        requests = HistogramMetricFamily(
            "roost_request_seconds",
            "Requests by operation, until the answer begins.",
            labels=["operation"],
        )
        for operation, durations in self._durations.items():
            requests.add_metric([operation], _buckets(durations), durations.total)
        yield requests

    def _writer(self) -> Iterator[Metric]:
        writer = self._service.writer.statistics()
        yield _counter("roost_commits", "Commits of the writer.", writer.commits)
        yield _counter("roost_rows", "Rows committed.", writer.rows)
        yield _counter("roost_commit_retries", "Commits tried again.", writer.retries)
        yield _counter("roost_units_set_aside", "Units that could not be stored.", writer.set_aside)
        yield _gauge("roost_writer_waiting", "Units waiting for a commit.", writer.waiting)
        yield _gauge("roost_commit_seconds", "The last commit took.", writer.last_commit_s)
        durations, batches = self._service.writer.durations, self._service.writer.batches
        yield _histogram("roost_commit_duration_seconds", "Commits, with all tries.", durations)
        yield _histogram("roost_commit_batch_rows", "Rows in each commit.", batches)


class Metrics:
    def __init__(
        self,
        service: Service,
        sockets: Sockets,
        durations: Mapping[str, Histogram],
        process: ProcessFigures | None = None,
    ) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(HouseCollector(service, sockets, durations))
        if process is not None:
            self._registry.register(ProcessCollector(process))

    def page(self) -> bytes:
        page: bytes = generate_latest(self._registry)
        return page


def _certificate(certificate: CertificateFigures) -> Iterator[Metric]:
    ends_s = certificate.not_after_us / SECOND_US
    what = "When the certificate ends, in Unix time."
    yield _gauge("roost_tls_certificate_expiry_timestamp_seconds", what, ends_s)
    yield _counter("roost_tls_reloads", "Newer certificates that were read.", certificate.reloads)
    what = "1 while newer files of the certificate cannot be used."
    yield _gauge("roost_tls_reload_failed", what, float(bool(certificate.trouble)))


def _histogram(name: str, what: str, values: Histogram) -> Metric:
    return HistogramMetricFamily(name, what, buckets=_buckets(values), sum_value=values.total)


def _buckets(values: Histogram) -> list[tuple[str, float]]:
    bounds = [str(float(bound)) for bound in values.bounds] + ["+Inf"]
    return list(zip(bounds, accumulate(values.counts), strict=True))


def _counter(name: str, what: str, value: float) -> Metric:
    return CounterMetricFamily(name, what, value=value)


def _gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(name, what, value=value)
