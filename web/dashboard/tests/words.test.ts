// Every text of the pages has its translation, with the same places to fill.

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ALL_WORDS, reasonWord } from "../src/words";
import { plurals } from "../src/words/plurals";
import { vi } from "../src/words/vi";

const SOURCE = join(__dirname, "../src");

function* files(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* files(path);
    else if (/\.tsx?$/.test(entry.name)) yield readFileSync(path, "utf8");
  }
}

const source = [...files(SOURCE)].join("\n");
// With its context, where it has one: that is how the translation is looked up.
const said = [...source.matchAll(/\bt\(\s*"((?:[^"\\]|\\.)*)"(?:,\s*\{\s*context: "([^"]+)")?/g)].map(
  ([, text, context]) => (context === undefined ? text : `${text}|${context}`) as string,
);
// Tables of names that are translated where they are shown.
const tables = [...source.matchAll(/const (?:PAGES|COLUMNS|RANGES|DAYS|TABS|VIEWS)\b[\s\S]*?\n\];/g)].flatMap(([table]) => [
  ...[...table.matchAll(/\["[^"]*", "([^"]+)"/g)].map((found) => found[1] as string),
  ...[...table.matchAll(/\["([^"]+)", \[\n/g)].map((found) => found[1] as string),
  ...[...table.matchAll(/\["([^"]+)", [\d_]+\]/g)].map((found) => found[1] as string),
]);
const texts = new Set([...said, ...tables, ...ALL_WORDS]);

test("every text is translated", () => {
  expect(texts.size).toBeGreaterThan(300);
  expect([...texts].filter((text) => !(text in vi))).toEqual([]);
});

test("no translation is left over", () => {
  const thrown = ["Can't reach the server. Check your connection.", "Upload interrupted. Try again."];
  expect(Object.keys(vi).filter((text) => !texts.has(text) && !thrown.includes(text))).toEqual([]);
});

test("what is filled in is the same in both languages", () => {
  const places = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(String).sort();
  for (const [english, other] of Object.entries(vi)) expect(places(other), english).toEqual(places(english));
});

test("every plural is of a text that pages say", () => {
  expect(Object.keys(plurals).filter((text) => !texts.has(text) || !text.includes("{n}"))).toEqual([]);
});

test("headings end without a full stop, and nothing stands before an ellipsis", () => {
  const headings = [...source.matchAll(/(?:\btitle=|<h[1-3]>)\{t\("([^"]+)"/g)].map((found) => found[1] as string);
  expect(headings.length).toBeGreaterThan(30);
  for (const english of headings) for (const text of [english, vi[english]]) expect(text).not.toMatch(/\.$/);
  for (const text of [...texts, ...Object.values(vi)]) expect(text).not.toMatch(/ …$/);
});

test("an alarm and a warning have two names in Vietnamese", () => {
  expect(vi.Warning).toBe("Cảnh báo");
  const alarms = Object.entries(vi).filter(([english]) => /\balarms?\b/i.test(english));
  expect(alarms.length).toBeGreaterThan(10);
  for (const [english, other] of alarms) expect(other.toLowerCase(), english).not.toContain("cảnh báo");
});

test("every reason to reject a message has words", () => {
  const errors = readFileSync(join(__dirname, "../../../protocol/errors.py"), "utf8");
  const reasons = /class Reason[\s\S]*?\n\n\n/.exec(errors)?.[0].matchAll(/ = "(\w+)"/g) ?? [];
  const known = [...reasons].map((found) => found[1] as string);
  expect(known).toContain("unknown_feed");
  expect(known.filter((reason) => reasonWord(reason) === reason)).toEqual([]);
});

test("translations are sorted", () => {
  expect(Object.keys(vi)).toEqual(Object.keys(vi).sort());
});
