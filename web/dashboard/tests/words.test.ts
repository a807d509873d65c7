// Every text of the pages has its translation, with the same places to fill.

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ALL_WORDS } from "../src/words";
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
const said = [...source.matchAll(/\bt\(\s*"((?:[^"\\]|\\.)*)"/g)].map((found) => found[1] as string);
// Tables of names that are translated where they are shown.
const tables = [...source.matchAll(/const (?:PAGES|COLUMNS|RANGES|DAYS|TABS|VIEWS)\b[\s\S]*?\n\];/g)].flatMap(([table]) => [
  ...[...table.matchAll(/\["[^"]*", "([^"]+)"/g)].map((found) => found[1] as string),
  ...[...table.matchAll(/\["([^"]+)", [\d_]+\]/g)].map((found) => found[1] as string),
]);
const texts = new Set([...said, ...tables, ...ALL_WORDS]);

test("every text is translated", () => {
  expect(texts.size).toBeGreaterThan(300);
  expect([...texts].filter((text) => !(text in vi))).toEqual([]);
});

test("no translation is left over", () => {
  const thrown = ["The server does not answer. Is it running?", "The upload was cut off."];
  expect(Object.keys(vi).filter((text) => !texts.has(text) && !thrown.includes(text))).toEqual([]);
});

test("what is filled in is the same in both languages", () => {
  const places = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(String).sort();
  for (const [english, other] of Object.entries(vi)) expect(places(other), english).toEqual(places(english));
});
