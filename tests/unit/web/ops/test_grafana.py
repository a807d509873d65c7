"""The dashboard for Grafana asks for metrics that there are, in panels beside each other."""

import json
import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.unit.site import Site

DASHBOARD = Path(__file__).parents[4] / "docs" / "grafana" / "roost.json"


async def test_every_panel_shows_metrics_that_there_are(site: Site) -> None:
    page = await (await site.raw("GET", "/metrics")).get_data(as_text=True)
    families = text_string_to_metric_families(page)
    known = {sample.name for family in families for sample in family.samples}
    panels = json.loads(DASHBOARD.read_text())["panels"]
    asked = {
        name
        for panel in panels
        for target in panel["targets"]
        for name in re.findall(r"roost_[a-z_]+", target["expr"])
    }
    assert len(asked) > 15
    assert asked <= known


def test_panels_do_not_lie_upon_each_other() -> None:
    taken = set()
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert x < 24
                assert (x, y) not in taken
                taken.add((x, y))
