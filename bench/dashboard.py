"""The dashboard in a browser: from publish to paint, and with a fleet of 2,000 that never pauses.

    python -m bench.dashboard [DEVICES] [UPDATES_PER_S]

First one device publishes its status every 50 ms; the page's own script reports when the frame with
it was painted (`requestAnimationFrame`, then a task after it). Then DEVICES (2,000) publish theirs,
UPDATES_PER_S (1,000) in all, while the table and the map are shown. Measured: frames a second, and
the script's heap after garbage collection, at the start and at the end. Browser, service, database,
broker and publisher share the machine.
"""

import multiprocessing
import random
import socket
import statistics
import sys
import time
from typing import Any

from playwright.sync_api import Page, sync_playwright

from bench.service import PASSWORD, Service, running
from tests.support import wire

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
SAMPLES = 200
EVERY_S = 0.05
LOOK_S = 20.0
BURST = 20

WATCH = """
() => {
  window.late = [];
  const row = document.querySelector('[data-device="probe"]');
  const after = new MessageChannel();
  let painted = () => {};
  after.port1.onmessage = () => painted();
  new MutationObserver(() => {
    const sent = /t([0-9]{13})/.exec(row.textContent);
    if (!sent) return;
    requestAnimationFrame(() => {
      const now = () => performance.timeOrigin + performance.now();
      painted = () => window.late.push(now() - Number(sent[1]));
      after.port2.postMessage(0);
    });
  }).observe(row, { subtree: true, characterData: true, childList: true });
}
"""
COUNT = """
() => {
  cancelAnimationFrame(window.counting);
  window.frames_drawn = 0;
  window.slowest = 0;
  let last = performance.now();
  const draw = (now) => {
    window.frames_drawn += 1;
    window.slowest = Math.max(window.slowest, now - last);
    last = now;
    window.counting = requestAnimationFrame(draw);
  };
  window.counting = requestAnimationFrame(draw);
}
"""


def log_in(service: Service) -> socket.socket:
    password = service.mqtt_password
    return wire.connect("127.0.0.1", service.mqtt_port, "bench-fleet", "roost", password)


def fleet(port: int, password: str, user_id: str, devices: int, per_s: float) -> None:
    """Publish this many statuses a second until the process is ended."""
    line = wire.connect("127.0.0.1", port, "bench-fleet-load", "roost", password)
    chance = random.Random(1)
    since, n = time.monotonic(), 0
    while True:
        for _ in range(BURST):
            at = n % devices
            where = f"{10 + 12 * chance.random():.4f}", f"{102 + 7 * chance.random():.4f}"
            word = "offline" if chance.random() < 0.1 else "online"
            payload = f'{{"status":"{word}","temperature":{n % 40},"latitude":{where[0]},'
            payload += f'"longitude":{where[1]}}}'
            topic = f"users/{user_id}/devices/f{at}/status"
            wire.publish_once(line, topic, payload.encode(), 0, False)
            n += 1
        time.sleep(max(0.0, since + n / per_s - time.monotonic()))


def sign_in(page: Page, service: Service) -> None:
    page.goto(service.url)
    page.get_by_label("Email").fill("bench@roost.local")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_selector('[data-link="live"]')


def latency(page: Page, service: Service, user_id: str) -> None:
    service.post("/devices", {"device_code": "probe", "name": "probe"})
    page.goto(f"{service.url}/#/devices")
    page.wait_for_selector('[data-device="probe"]')
    page.evaluate(WATCH)
    line = log_in(service)
    for _ in range(SAMPLES):
        payload = f'{{"status":"t{time.time() * 1000:.0f}"}}'.encode()
        wire.publish_once(line, f"users/{user_id}/devices/probe/status", payload, 0, False)
        page.wait_for_timeout(EVERY_S * 1000)
    wire.leave(line)
    late: list[float] = page.evaluate("window.late")
    cuts = statistics.quantiles(late, n=20)
    print(
        f"publish to paint: {len(late)} of {SAMPLES}, median {statistics.median(late):.0f} ms,"
        f" p95 {cuts[18]:.0f} ms, most {max(late):.0f} ms"
    )


def heap(session: Any) -> float:
    """The script's heap, collected, in MB."""
    session.send("HeapProfiler.collectGarbage")
    found = session.send("Performance.getMetrics")["metrics"]
    return float(next(m["value"] for m in found if m["name"] == "JSHeapUsedSize")) / 1e6


def look(page: Page, service: Service, path: str) -> None:
    page.goto(f"{service.url}/#{path}")
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    page.wait_for_timeout(3_000)
    before = heap(session)
    page.evaluate(COUNT)
    since = time.monotonic()
    page.wait_for_timeout(LOOK_S * 1000)
    drawn = page.evaluate("window.frames_drawn") / (time.monotonic() - since)
    slowest = page.evaluate("window.slowest")
    after = heap(session)
    print(
        f"{path}: {drawn:.0f} frames/s, slowest {slowest:.0f} ms;"
        f" heap {before:.1f} MB, {LOOK_S:.0f} s later {after:.1f} MB"
    )


def main() -> None:
    devices = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    per_s = float(sys.argv[2]) if len(sys.argv) > 2 else 1_000.0
    with running("--requests-per-s", "1000") as service, sync_playwright() as playwright:
        user_id = service.sign_in()["id"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_context(viewport={"width": 1280, "height": 860}).new_page()
        sign_in(page, service)
        latency(page, service, user_id)
        for first in range(0, devices, 1000):
            names = [f"f{n},Device {n}" for n in range(first, min(devices, first + 1000))]
            answer = service.http.post(
                "/api/v1/devices/import",
                content="device_code,name\n" + "\n".join(names),
                headers={"Content-Type": "text/csv"},
            )
            answer.raise_for_status()
        load = multiprocessing.get_context("spawn").Process(
            target=fleet,
            args=(service.mqtt_port, service.mqtt_password, user_id, devices, per_s),
        )
        load.start()
        try:
            for path in ("/devices", "/map", "/"):
                look(page, service, path)
        finally:
            load.terminate()
            load.join()
        browser.close()


if __name__ == "__main__":
    main()
