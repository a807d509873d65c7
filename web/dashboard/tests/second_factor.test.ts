// What waits for a code of the second factor, and what becomes of it.

import { expect, test } from "vitest";
import { Problem } from "../src/api";
import { askedNow, withCode } from "../src/parts/second_factor";

type Headers = Record<string, string>;

const refusal = (code: string): Problem => new Problem(403, code, { code, params: {} });
const whole = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

/** An API that takes one code. */
function guarded(right: string, said: string[] = []) {
  return async (headers: Headers): Promise<string> => {
    const code = headers["X-Second-Factor"];
    said.push(code ?? "none");
    if (code === undefined) throw refusal("second_factor_needed");
    if (code !== right) throw refusal("second_factor_wrong");
    return "done";
  };
}

test("nobody is asked where no code is needed", async () => {
  expect(await withCode(async () => "done")).toBe("done");
  await expect(withCode(() => Promise.reject(refusal("second_factor_is_off")))).rejects.toThrow();
  expect(askedNow()).toBeNull();
});

test("a wrong code may be followed by a right one", async () => {
  const said: string[] = [];
  const answer = withCode(guarded("123456", said));
  await whole();
  await expect(askedNow()?.send("000000")).rejects.toThrow("second_factor_wrong");
  await askedNow()?.send("123456");
  expect(await answer).toBe("done");
  expect(said).toEqual(["none", "000000", "123456"]);
  expect(askedNow()).toBeNull();
});

test("what fails for another reason is told where it was asked", async () => {
  const answer = withCode(async (headers: Headers) => {
    throw refusal("X-Second-Factor" in headers ? "account_exists" : "second_factor_needed");
  });
  const failed = expect(answer).rejects.toThrow("account_exists");
  await whole();
  await askedNow()?.send("123456");
  await failed;
  expect(askedNow()).toBeNull();
});

test("who cancels changes nothing, and the next request replaces the one that waits", async () => {
  const first = expect(withCode(guarded("1"))).rejects.toThrow("Cancelled");
  await whole();
  const second = expect(withCode(guarded("1"))).rejects.toThrow("Cancelled");
  await first;
  await whole();
  askedNow()?.cancel();
  await second;
  expect(askedNow()).toBeNull();
});
