// Who is signed in, while the account changes.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { changeMe, whoIsIn } from "../src/me";

interface Asked {
  method: string;
  answer: (status: number, body?: unknown) => void;
}
let asked: Asked[] = [];

beforeEach(() => {
  asked = [];
  vi.stubGlobal("fetch", (_path: string, { method }: { method: string }) =>
    new Promise<Response>((resolve) => {
      asked.push({ method, answer: (status, body = {}) => resolve(new Response(JSON.stringify(body), { status })) });
    }),
  );
});
afterEach(() => vi.unstubAllGlobals());

const whole = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

test("while the account changes, nobody is asked who is signed in", async () => {
  const change = changeMe({ password: "a new one" });
  const found = whoIsIn();
  await whole();
  expect(asked.map(({ method }) => method)).toEqual(["PATCH"]);
  asked[0]?.answer(200, { id: "ada" });
  await change;
  await whole();
  asked[1]?.answer(200, { id: "ada" });
  expect(await found).toEqual({ id: "ada" });
});

test("a refusal of the cookie from before a change says nothing", async () => {
  const found = whoIsIn();
  await whole();
  const change = changeMe({ password: "a new one" });
  asked[0]?.answer(401);
  await whole();
  expect(asked).toHaveLength(2);
  asked[1]?.answer(200, { id: "ada" });
  await change;
  await whole();
  asked[2]?.answer(200, { id: "ada" });
  expect(await found).toEqual({ id: "ada" });
});

test("a change that fails is none, and without a session nobody is signed in", async () => {
  const change = changeMe({ password: "a new one" }).catch(() => "failed");
  await whole();
  asked[0]?.answer(422);
  expect(await change).toBe("failed");
  const found = whoIsIn();
  await whole();
  asked[1]?.answer(401);
  expect(await found).toBeNull();
});
