// The first steps tick by what there is.

import { expect, test } from "vitest";
import { stepsOf } from "../src/parts/checklist";
import type { Feed } from "../src/types";

const feed = (given: Partial<Feed> = {}): Feed => ({ id: "f", last_value_at: null, min_value: null, max_value: null, ...given }) as Feed;
const done = (given: Partial<Parameters<typeof stepsOf>[0]>): string[] =>
  stepsOf({ devices: 0, feeds: [], isLive: false, hasRead: false, ...given })
    .filter((step) => step.isDone)
    .map((step) => step.id);

test("who starts empty has done nothing", () => {
  expect(done({})).toEqual([]);
});

test("each step is done by what it asks for, and by nothing else", () => {
  expect(done({ devices: 1 })).toEqual(["device"]);
  expect(done({ feeds: [feed()] })).toEqual([]);
  expect(done({ feeds: [feed({ last_value_at: "2026-01-31T08:05:00Z" })] })).toEqual(["reading"]);
  expect(done({ isLive: true })).toEqual(["live"]);
  expect(done({ feeds: [feed({ max_value: 0 })] })).toEqual(["alarm"]);
  expect(done({ feeds: [feed({ min_value: 0 })] })).toEqual(["alarm"]);
  expect(done({ hasRead: true })).toEqual(["docs"]);
});

test("the chart of the feed that has a reading is opened", () => {
  const steps = stepsOf({ devices: 1, feeds: [feed(), feed({ id: "g", last_value_at: "x" })], isLive: false, hasRead: false });
  expect(steps.find((step) => step.id === "live")?.href).toBe("#/feeds/g");
});
