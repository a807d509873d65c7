import { createContext, useCallback, useContext, useEffect, useRef, useState, useSyncExternalStore } from "react";
import type { Device, Feed } from "../types";
import { Pace } from "./pace";
import { LiveStore, type Link } from "./store";

export const LiveContext = createContext(new LiveStore());
export const useLive = (): LiveStore => useContext(LiveContext);

/** Draw again when the topic changes; answers with its count. */
export function useTopic(topic: string): number {
  const live = useLive();
  const listen = useCallback((listener: () => void) => live.listen(topic, listener), [live, topic]);
  return useSyncExternalStore(listen, () => live.version(topic));
}

export function useLink(): Link {
  const live = useLive();
  useTopic("link");
  return live.link;
}

export function useDevice(id: string | null | undefined): Device | undefined {
  const live = useLive();
  useTopic(`device:${id ?? ""}`);
  return id ? live.devices.get(id) : undefined;
}

/** Drawn again when it changes, and not with everything else of the device. */
export function useDeviceName(id: string): string | undefined {
  const live = useLive();
  const listen = useCallback((listener: () => void) => live.listen("names", listener), [live]);
  return useSyncExternalStore(listen, () => live.devices.get(id)?.name);
}

/** The newest of what REST and the socket say of a feed. */
export function useLastValue(feed: Feed): { value: Feed["last_value"]; ts: string | null } {
  const live = useLive();
  useTopic(`feed:${feed.id}`);
  const said = live.values.get(feed.id);
  if (said && (!feed.last_value_at || said.ts >= feed.last_value_at)) return said;
  return { value: feed.last_value, ts: feed.last_value_at };
}

/** Call `changed` after changes of a topic, `every` ms after it ended: for what REST has to tell. */
export function useChange(topic: string, changed: () => unknown, every = 1000): void {
  const live = useLive();
  const latest = useRef(changed);
  latest.current = changed;
  useEffect(() => {
    const pace = new Pace(() => latest.current(), every);
    const stop = live.listen(topic, () => pace.ask());
    return () => {
      stop();
      pace.stop();
    };
  }, [live, topic, every]);
}

/** Draw again after changes of a topic, at most once in `every` ms: for what sums up many things. */
export function useEvery(topic: string, every = 250): number {
  const [count, setCount] = useState(0);
  useChange(topic, () => setCount((n) => n + 1), every);
  return count;
}
