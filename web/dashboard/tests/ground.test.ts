// @vitest-environment happy-dom

import { expect, test, vi } from "vitest";
import { source, trace } from "../src/parts/ground";
import { names } from "../src/parts/ground_names";
import { type Box, fits } from "../src/parts/label_boxes";
import hanoi from "../src/ground/12-7.json";
import world from "../src/ground/world.json";

test("a tile knows its file, and where in it, also on the world's copies", () => {
  expect(source(0, 0, 0)).toEqual({ name: "world", left: 0, top: 0, wide: 1 });
  expect(source(9, 6, 4)).toEqual({ name: "world", left: -9, top: -6, wide: 16 });
  expect(source(25, 14, 5)).toEqual({ name: "12-7", left: -1, top: 0, wide: 2 });
  expect(source(25 + 32, 14, 5)).toEqual(source(25, 14, 5));
  expect(source(25 - 32, 14, 5)).toEqual(source(25, 14, 5));
});

test("no coast runs where the ground was cut", () => {
  const path = { beginPath: vi.fn(), moveTo: vi.fn(), lineTo: vi.fn(), closePath: vi.fn() };
  trace(path as unknown as CanvasRenderingContext2D, [[5, 0, 10, 0, 0, 10]], 2, 1, 1, false, false);
  expect(path.lineTo.mock.calls).toEqual([[31, 21]]);
  expect(path.moveTo.mock.calls.at(-1)).toEqual([31, 1]);
});

test("the kept files have land, waters, borders and names where people live", () => {
  const text = JSON.stringify(hanoi);
  for (const kind of ["land", "lakes", "rivers", "borders", "provinces", "places"] as const) expect(Object.keys(hanoi)).toContain(kind);
  expect(text.length).toBeLessThan(400_000);
  const shown = (zoom: number, isVietnamese: boolean) => names([world as never, hanoi as never], zoom, isVietnamese).map(({ text }) => text);
  expect(shown(4, true)).toContain("Việt Nam");
  expect(shown(4, false)).toContain("Vietnam");
  expect(shown(6, false)).toContain("Hanoi");
  expect(shown(6, true)).toContain("Hà Nội");
  // Reefs that several countries claim have no name here.
  expect(shown(7, false).join()).not.toMatch(/Spratly|Scarborough|Paracel/);
  const near = (zoom: number) => names([hanoi as never], zoom, false).length;
  expect(near(9)).toBeGreaterThan(near(7));
});

test("names give way to more important ones", () => {
  const taken: Box[] = [];
  expect(fits(taken, [0, 0, 10, 10])).toBe(true);
  expect(fits(taken, [9, 9, 20, 20])).toBe(false);
  expect(fits(taken, [10, 0, 20, 10])).toBe(true);
});
