import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Connection, MOST_MS, PING_MS, PONG_WITHIN_MS, backoff } from "../src/live/connection";
import { LiveStore } from "../src/live/store";

class Socket {
  static all: Socket[] = [];
  sent: string[] = [];
  onmessage: ((message: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  constructor(readonly url: string) {
    Socket.all.push(this);
  }
  send(text: string) {
    this.sent.push(text);
  }
  close(code = 1005) {
    this.onclose?.({ code });
  }
  says(frame: unknown) {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }
}

const LIST = { type: "device_list", devices: [], seq: 1 };
let isSignedIn: () => Promise<boolean>;
let heard = new Map<string, () => void>();

function opened() {
  const store = new LiveStore((draw) => draw());
  const connection = new Connection(store, "ws://here/ws/devices", () => isSignedIn());
  connection.open();
  return { store, connection, last: () => Socket.all.at(-1) as Socket };
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", Socket);
  heard = new Map();
  vi.stubGlobal("addEventListener", (name: string, listener: () => void) => heard.set(name, listener));
  vi.stubGlobal("removeEventListener", (name: string) => heard.delete(name));
  vi.spyOn(Math, "random").mockReturnValue(1);
  Socket.all = [];
  isSignedIn = () => Promise.resolve(false);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

test("it is not live without a network, and comes back with it at once", () => {
  const { store, connection, last } = opened();
  last().says(LIST);
  heard.get("offline")?.();
  expect(store.link.state).toBe("reconnecting");
  const before = Socket.all.length;
  heard.get("online")?.();
  expect(Socket.all.length).toBe(before + 1);
  last().says(LIST);
  expect(store.link.state).toBe("live");
  connection.close();
  expect(heard.size).toBe(0);
});

test("a line that went silent is lost since it was last heard", () => {
  const { store, last } = opened();
  const silent = Date.now();
  last().says(LIST);
  vi.advanceTimersByTime(PING_MS + PONG_WITHIN_MS);
  expect(store.link).toEqual({ state: "reconnecting", since: silent });
  expect(PING_MS + PONG_WITHIN_MS).toBeLessThanOrEqual(15_000);
});

test("waits double, have a bound, and half of them is chance", () => {
  expect([0, 1, 2, 3].map((tries) => backoff(tries, () => 1))).toEqual([500, 1000, 2000, 4000]);
  expect(backoff(50, () => 1)).toBe(MOST_MS);
  expect(backoff(3, () => 0)).toBe(2000);
});

test("it is live with the first frame, and comes back after a loss", () => {
  const { store, last } = opened();
  expect(store.link.state).toBe("connecting");
  last().says(LIST);
  expect(store.link.state).toBe("live");
  last().close(1006);
  expect(store.link.state).toBe("reconnecting");
  vi.advanceTimersByTime(499);
  expect(Socket.all).toHaveLength(1);
  vi.advanceTimersByTime(1);
  expect(Socket.all).toHaveLength(2);
  last().says(LIST);
  expect(store.link.state).toBe("live");
});

test("since when it is lost does not move with every try", () => {
  const { store, last } = opened();
  last().says(LIST);
  last().close(1006);
  const first = store.link;
  vi.advanceTimersByTime(500);
  last().close(1006);
  expect(store.link).toEqual(first);
  vi.advanceTimersByTime(1000);
  expect(Socket.all).toHaveLength(3);
});

test("a line that gives no answer to a ping is left", () => {
  const { store, last } = opened();
  const first = last();
  first.says(LIST);
  vi.advanceTimersByTime(PING_MS);
  expect(first.sent).toEqual(['{"type":"ping"}']);
  first.says({ type: "pong" });
  vi.advanceTimersByTime(PONG_WITHIN_MS);
  expect(store.link.state).toBe("live");
  vi.advanceTimersByTime(PING_MS);
  expect(store.link.state).toBe("reconnecting");
  first.says({ type: "device_update", device: { id: "x" }, seq: 9 });
  expect(store.devices.size).toBe(0);
});

test("an ended session is not tried again", async () => {
  const { last } = opened();
  last().close(4401);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(Socket.all).toHaveLength(1);
  expect(heard.size).toBe(0);
});

test("a session that was followed by another goes on", async () => {
  isSignedIn = () => Promise.resolve(true);
  const { store, last } = opened();
  last().says(LIST);
  last().close(4401);
  expect(store.link.state).toBe("reconnecting");
  await vi.advanceTimersByTimeAsync(0);
  expect(Socket.all).toHaveLength(2);
  // The next one is refused, too: it is tried with pauses.
  last().close(4401);
  await vi.advanceTimersByTimeAsync(100);
  expect(Socket.all).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(Socket.all).toHaveLength(3);
  last().says(LIST);
  expect(store.link.state).toBe("live");
});

test("without an answer about the session it is tried again", async () => {
  isSignedIn = () => Promise.reject(new Error("no answer"));
  const { last } = opened();
  last().close(4401);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(Socket.all).toHaveLength(2);
});

test("after closing nothing is opened", () => {
  const { connection, last } = opened();
  last().says(LIST);
  connection.close();
  vi.advanceTimersByTime(600_000);
  expect(Socket.all).toHaveLength(1);
});
