import { expect, test } from "vitest";
import { isHere } from "../src/pages_menu";

const LINES = ["/", "/devices", "/shop", "/shop?tab=products", "/settings", "/settings?tab=keys"];
const marked = (path: string, tab = "") => LINES.filter((to) => isHere(to, path, tab));

test("one line of the menu is where somebody is", () => {
  expect(marked("/")).toEqual(["/"]);
  expect(marked("/devices/7")).toEqual(["/devices"]);
  expect(marked("/devices-of-others")).toEqual([]);
  expect(marked("/shop")).toEqual(["/shop"]);
  expect(marked("/shop", "products")).toEqual(["/shop?tab=products"]);
});

test("a tab without a line of its own is its page's", () => {
  expect(marked("/settings", "sessions")).toEqual(["/settings"]);
  expect(marked("/settings", "keys")).toEqual(["/settings?tab=keys"]);
});
