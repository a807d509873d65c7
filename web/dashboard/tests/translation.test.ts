// @vitest-environment happy-dom
// Contexts and plurals of the texts on pages.

import { afterEach, beforeAll, expect, test } from "vitest";
import { setLanguage, t } from "../src/words";
import { vi } from "../src/words/vi";

const added = { "Open|a door": "Mở cửa", Open: "Mở" };

beforeAll(() => Object.assign(vi, added));
afterEach(() => setLanguage("en"));

test("one English text has a translation for each of its contexts", () => {
  setLanguage("vi");
  expect(t("Open", { context: "alarm state" })).toBe("Đang mở");
  expect(t("Open", { context: "a door" })).toBe("Mở cửa");
  expect(t("Open", { context: "nobody said this" })).toBe("Mở");
  setLanguage("en");
  expect(t("Open", { context: "alarm state" })).toBe("Open");
});

test("a number chooses the form of an English text, and Vietnamese has one for all", () => {
  expect([0, 1, 2, 1200].map((n) => t("{n} readings", { n }))).toEqual(["0 readings", "1 reading", "2 readings", "1,200 readings"]);
  setLanguage("vi");
  expect([1, 2, 1200].map((n) => t("{n} readings", { n }))).toEqual(["1 số đo", "2 số đo", "1.200 số đo"]);
});
