import type { Alarm, Command, Device, Occurrence, Schedule, Value } from "../types";

// Events of /ws/devices. `seq` counts what this connection was sent.
export type LiveEvent =
  | { type: "device_list"; devices: Device[]; complete?: false; seq: number }
  | { type: "device_update"; device: Device; seq: number }
  | { type: "device_removed"; device_id: string; seq: number }
  | { type: "feed_value"; feed_id: string; feed_key: string; device_id: string; value: Value; ts: string; seq: number }
  | { type: "schedule_update"; schedule: Schedule | { id: string; occurrence: Occurrence }; seq: number }
  | { type: "command_update"; command: Command; seq: number }
  | { type: "alarm"; alarm: Alarm; seq: number }
  | { type: "stale"; since: string }
  | { type: "fresh" }
  | { type: "pong" }
  | { type: "error"; detail: string };

export type Frame = LiveEvent | { type: "batch"; events: LiveEvent[] };
