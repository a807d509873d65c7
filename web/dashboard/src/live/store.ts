// What the WebSocket told, newest only. Pages read it; nothing older ever replaces what is here.

import type { Frame, LiveEvent } from "./events";
import type { Alarm, Command, Device, Occurrence, Schedule, Value } from "../types";
import { Gatherer, type Schedule as FrameSchedule, byFrame } from "./frames";

export interface LiveValue {
  value: Value;
  ts: string;
  device_id: string;
}

export type Link =
  | { state: "connecting" }
  | { state: "live" }
  | { state: "reconnecting"; since: number }
  | { state: "stale"; since: number };

// Life cycles only go forward.
const RANKS: Record<string, number> = {
  active: 0, queued: 0, pending: 0,
  sent: 1, triggered: 1,
  acknowledged: 2, delivered: 2,
  succeeded: 3, failed: 3, expired: 3, cancelled: 3, completed: 3, missed: 3, cleared: 3,
};
const rank = (state: string): number => RANKS[state] ?? 0;

/** Objects of one kind that changed while the page was open; bounded, the longest unchanged go. */
class Recent<T extends { id: string; state: string }> {
  static readonly MOST = 2_000;
  private readonly items = new Map<string, T>();

  /** Whether it was news. */
  put(item: T): boolean {
    const known = this.items.get(item.id);
    if (known && rank(known.state) > rank(item.state)) return false;
    this.items.delete(item.id);
    this.items.set(item.id, item);
    if (this.items.size > Recent.MOST) this.items.delete(this.items.keys().next().value as string);
    return true;
  }

  newer(item: T): T {
    const known = this.items.get(item.id);
    if (!known || rank(known.state) < rank(item.state)) return item;
    // The actor of a device that clears an alarm does not know who has seen it.
    return { ...known, ...("acknowledged_at" in item && item.acknowledged_at !== null && { acknowledged_at: item.acknowledged_at }) };
  }

  get(id: string): T | undefined {
    return this.items.get(id);
  }

  all(): T[] {
    return [...this.items.values()];
  }

  clear(): void {
    this.items.clear();
  }
}

export class LiveStore {
  readonly devices = new Map<string, Device>();
  readonly values = new Map<string, LiveValue>();
  readonly alarms = new Recent<Alarm>();
  readonly commands = new Recent<Command>();
  readonly occurrences = new Recent<Occurrence>();
  readonly schedules = new Map<string, Schedule>();
  /** Counts changes by topic: what React compares. */
  readonly versions = new Map<string, number>();
  link: Link = { state: "connecting" };
  /** The first snapshot has come. */
  hasList = false;
  events = 0;
  private readonly gatherer: Gatherer;
  private readonly ears = new Map<string, Set<(value: LiveValue) => void>>();

  constructor(schedule: FrameSchedule = byFrame) {
    this.gatherer = new Gatherer(schedule);
  }

  listen(topic: string, listener: () => void): () => void {
    return this.gatherer.listen(topic, listener);
  }

  /** Every value of a feed as it comes, between frames too. */
  hear(feedId: string, ear: (value: LiveValue) => void): () => void {
    const those = this.ears.get(feedId) ?? new Set();
    this.ears.set(feedId, those.add(ear));
    return () => {
      those.delete(ear);
      if (!those.size && this.ears.get(feedId) === those) this.ears.delete(feedId);
    };
  }

  version(topic: string): number {
    return this.versions.get(topic) ?? 0;
  }

  setLink(link: Link): void {
    this.link = link;
    this.changed("link");
  }

  take(frame: Frame): void {
    if (frame.type === "batch") for (const event of frame.events) this.apply(event);
    else this.apply(frame);
  }

  /** Forget everything: somebody else signs in. */
  clear(): void {
    this.devices.clear();
    this.values.clear();
    this.alarms.clear();
    this.commands.clear();
    this.occurrences.clear();
    this.schedules.clear();
    this.hasList = false;
    for (const topic of ["devices", "names", "values", "alarms", "commands", "schedules"]) this.changed(topic);
  }

  private apply(event: LiveEvent): void {
    this.events += 1;
    switch (event.type) {
      case "device_list":
        this.devices.clear();
        for (const device of event.devices) this.devices.set(device.id, device);
        this.hasList = true;
        this.changed("devices", "names", "snapshot");
        for (const device of event.devices) this.changed(`device:${device.id}`);
        break;
      case "device_update":
        if (this.devices.get(event.device.id)?.name !== event.device.name) this.changed("names");
        this.devices.set(event.device.id, event.device);
        this.changed("devices", `device:${event.device.id}`);
        break;
      case "device_removed":
        this.devices.delete(event.device_id);
        this.changed("devices", "names", `device:${event.device_id}`);
        break;
      case "feed_value":
        this.takeValue(event.feed_id, event);
        break;
      case "schedule_update":
        this.takeSchedule(event.schedule);
        break;
      case "command_update":
        if (this.commands.put(event.command)) this.changed("commands");
        break;
      case "alarm":
        if (this.alarms.put(event.alarm)) this.changed("alarms");
        break;
      case "stale":
        this.setLink({ state: "stale", since: Date.parse(event.since) });
        break;
      case "fresh":
        this.setLink({ state: "live" });
        break;
      case "pong":
      case "error":
        break;
    }
  }

  private takeValue(feedId: string, said: LiveValue): void {
    for (const ear of this.ears.get(feedId) ?? []) ear(said);
    const known = this.values.get(feedId);
    // Times have one width, so they compare as texts; of equal times the later one is the last.
    if (known && known.ts > said.ts) return;
    this.values.set(feedId, { value: said.value, ts: said.ts, device_id: said.device_id });
    this.changed("values", `feed:${feedId}`);
  }

  private takeSchedule(said: Schedule | { id: string; occurrence: Occurrence }): void {
    if ("occurrence" in said) this.occurrences.put(said.occurrence);
    else this.schedules.set(said.id, said);
    this.changed("schedules");
  }

  private changed(...topics: string[]): void {
    for (const topic of topics) {
      this.versions.set(topic, this.version(topic) + 1);
      this.gatherer.tell(topic);
    }
  }
}
