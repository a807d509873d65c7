"""The dashboard for Grafana asks for metrics that there are, in panels beside each other."""

import json
import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.unit.site import Site

GRAFANA = Path(__file__).parents[4] / "docs" / "grafana"
DASHBOARD = GRAFANA / "roost.json"
ALERTS = GRAFANA / "alerts.yml"
METRIC = re.compile(r"roost_[a-z_]+")


async def test_every_panel_shows_metrics_that_there_are(site: Site) -> None:
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
