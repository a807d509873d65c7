// The client knows what a path brings: this file is checked by `tsc`.

import { expect, test, vi } from "vitest";
import { get } from "../src/api";
import type { DeviceResource, FeedView, Page, SiteView } from "../src/api_types";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(isSame: Same<A, B>): boolean => isSame;

test("an answer has the type that the document says", async () => {
  vi.stubGlobal("fetch", async () => Response.json({ items: [] }));
  const id: string = "7";
  const site = get("/site");
  const device = get(`/devices/${id}`);
  const feeds = get("/feeds?limit=1000");
  expect(same<Awaited<typeof site>, SiteView>(true)).toBe(true);
  expect(same<Awaited<typeof device>, DeviceResource>(true)).toBe(true);
  expect(same<Awaited<typeof feeds>, Page<FeedView>>(true)).toBe(true);
  expect(await feeds).toEqual({ items: [] });
  vi.unstubAllGlobals();
});
