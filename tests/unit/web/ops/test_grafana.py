"""The dashboard for Grafana asks for metrics that there are, in panels beside each other."""

import json
import re
import time
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from actors.adapters.memory.clocks import PlainHasher
from actors.runtime.loop_lag import LoopLag
from tests.unit.site import Site
from web.app import create_app
from web.http.connections import Connections
from web.http.context import WebSettings
from web.ops.metrics import ProcessFigures

GRAFANA = Path(__file__).parents[4] / "docs" / "grafana"
DASHBOARD = GRAFANA / "roost.json"
ALERTS = GRAFANA / "alerts.yml"
METRIC = re.compile(r"roost_[a-z_]+")


class Certificate:
    """That of a server with TLS."""

    not_after_us, reloads, trouble = 0, 0, ""


def of_a_server_with_tls(site: Site) -> None:
    """The same service behind an application with all metrics."""
    lag = LoopLag(time.perf_counter, time.thread_time, held=lambda step: None)
    connections = Connections(most=1, of_address_max=1, is_trusted=lambda text: False)
    process = ProcessFigures(lag, lambda: 0, connections, Certificate())
    settings = WebSettings(jwt_secret="s" * 32)
    site.app = create_app(site.service, PlainHasher(), settings, process=process)


async def test_every_panel_shows_metrics_that_there_are(site: Site) -> None:
    of_a_server_with_tls(site)
    await site.call("GET", "/users/me")  # an operation whose duration is known
    page = await (await site.raw("GET", "/metrics")).get_data(as_text=True)
    families = text_string_to_metric_families(page)
    known = {sample.name for family in families for sample in family.samples}
    panels = json.loads(DASHBOARD.read_text())["panels"]
    asked = {
        name
        for panel in panels
        for target in panel["targets"]
        for name in METRIC.findall(target["expr"])
    }
    assert len(asked) > 15
    assert asked <= known
    warned = {
        name
        for line in ALERTS.read_text().splitlines()
        if line.strip().startswith("expr:")
        for name in METRIC.findall(line)
    }
    assert len(warned) >= 5
    assert warned <= known


def test_panels_do_not_lie_upon_each_other() -> None:
    taken = set()
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert x < 24
                assert (x, y) not in taken
                taken.add((x, y))
