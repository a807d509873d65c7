import { expect, test } from "vitest";
import { Gatherer } from "../src/live/frames";
import { LiveStore } from "../src/live/store";
import type { LiveEvent } from "../src/live/events";
import type { Alarm, Device, Occurrence } from "../src/types";

const device = (id: string, changes: Partial<Device> = {}): Device => ({
  id, device_code: id, name: id, status: "online", temperature: null, humidity: null,
  latitude: null, longitude: null, firmware: null, last_seen: null, ...changes,
});
const value = (ts: string, value: number): LiveEvent => ({
  type: "feed_value", feed_id: "f", feed_key: "t", device_id: "d", value, ts, seq: 1,
});
const alarm = (state: string): Alarm => ({ id: "a", state }) as Alarm;

/** A store whose frames are drawn by hand. */
function made() {
  const frames: (() => void)[] = [];
  const store = new LiveStore((draw) => frames.push(draw));
  return { store, draw: () => frames.splice(0).forEach((each) => each()), frames };
}

test("a snapshot replaces everything, an update one device, a removal takes it away", () => {
  const { store } = made();
  store.take({ type: "device_list", devices: [device("a"), device("b")], seq: 1 });
  store.take({ type: "device_update", device: device("b", { status: "offline" }), seq: 2 });
  expect([...store.devices.values()].map((d) => [d.id, d.status])).toEqual([["a", "online"], ["b", "offline"]]);
  store.take({ type: "device_removed", device_id: "a", seq: 3 });
  store.take({ type: "device_list", devices: [device("c")], seq: 4 });
  expect([...store.devices.keys()]).toEqual(["c"]);
});

test("names are told where one is new, another, or gone, and not with every value", () => {
  const { store, draw } = made();
  let told = 0;
  store.listen("names", () => (told += 1));
  const takes = (event: LiveEvent) => (store.take(event), draw(), told);
  expect(takes({ type: "device_list", devices: [device("a")], seq: 1 })).toBe(1);
  expect(takes({ type: "device_update", device: device("a", { temperature: 3 }), seq: 2 })).toBe(1);
  expect(takes({ type: "device_update", device: device("a", { name: "Lamp" }), seq: 3 })).toBe(2);
  expect(takes({ type: "device_update", device: device("b"), seq: 4 })).toBe(3);
  expect(takes({ type: "device_removed", device_id: "b", seq: 5 })).toBe(4);
});

test("an older value never follows a newer one; of equal times the later one stays", () => {
  const { store } = made();
  store.take(value("2026-01-01T00:00:02.000000Z", 2));
  store.take(value("2026-01-01T00:00:01.000000Z", 1));
  expect(store.values.get("f")?.value).toBe(2);
  store.take(value("2026-01-01T00:00:02.000000Z", 3));
  expect(store.values.get("f")?.value).toBe(3);
});

test("whoever hears a feed hears every value, those between frames too", () => {
  const { store } = made();
  const heard: unknown[] = [];
  const stop = store.hear("f", (said) => heard.push(said.value));
  store.take({ type: "batch", events: [value("2026-01-01T00:00:01.000000Z", 1), value("2026-01-01T00:00:02.000000Z", 2)] });
  stop();
  store.take(value("2026-01-01T00:00:03.000000Z", 3));
  expect(heard).toEqual([1, 2]);
});

test("life cycles only go forward", () => {
  const { store } = made();
  store.take({ type: "alarm", alarm: alarm("active"), seq: 1 });
  store.take({ type: "alarm", alarm: alarm("cleared"), seq: 2 });
  store.take({ type: "alarm", alarm: alarm("acknowledged"), seq: 3 });
  expect(store.alarms.newer(alarm("active")).state).toBe("cleared");
  expect(store.alarms.newer({ ...alarm("active"), id: "other" }).id).toBe("other");
});

test("occurrences come inside their schedule", () => {
  const { store } = made();
  const occurrence = { id: "o", schedule_id: "s", state: "triggered" } as Occurrence;
  store.take({ type: "schedule_update", schedule: { id: "s", occurrence }, seq: 1 });
  expect(store.occurrences.get("o")).toBeDefined();
  expect(store.schedules.has("s")).toBe(false);
});

test("many changes are drawn once", () => {
  const { store, draw, frames } = made();
  let drawn = 0;
  store.listen("devices", () => (drawn += 1));
  store.listen("device:d1", () => (drawn += 100));
  for (let n = 0; n < 1000; n += 1) store.take({ type: "device_update", device: device("d1", { temperature: n }), seq: n });
  expect([drawn, frames.length]).toEqual([0, 1]);
  draw();
  expect(drawn).toBe(101);
  draw();
  expect(drawn).toBe(101);
});

test("what is kept of changes has a bound", () => {
  const { store } = made();
  for (let n = 0; n < 5000; n += 1) store.take({ type: "alarm", alarm: { ...alarm("active"), id: `a${n}` }, seq: n });
  expect(store.alarms.all().length).toBe(2000);
  expect(store.alarms.get("a4999")).toBeDefined();
});

test("the link tells what stands still", () => {
  const { store } = made();
  store.take({ type: "stale", since: "2026-01-01T00:00:00.000000Z" });
  expect(store.link).toEqual({ state: "stale", since: Date.UTC(2026, 0, 1) });
  store.take({ type: "fresh" });
  expect(store.link.state).toBe("live");
});

test("a listener that left hears nothing, and leaves nothing behind", () => {
  const frames: (() => void)[] = [];
  const gatherer = new Gatherer((draw) => frames.push(draw));
  let heard = 0;
  const stop = gatherer.listen("x", () => (heard += 1));
  gatherer.tell("x");
  stop();
  frames.forEach((draw) => draw());
  expect(heard).toBe(0);
});
