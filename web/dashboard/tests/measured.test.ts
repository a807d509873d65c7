import { expect, test } from "vitest";
import { measured, rounded } from "../src/parts/measured";

test("a stored value has all its digits", () => {
  expect([21.0625, -0.0049, 1234.56789, 0, 100, 0.000001].map(measured)).toEqual(["21.0625", "-0.0049", "1,234.56789", "0", "100", "0.000001"]);
  expect(measured(1.5e-9)).toBe("1.5E-9");
  expect(measured(6.02214076e23)).toBe("6.02214076E23");
});

test("a computed value has six digits, and all before the point", () => {
  expect([61 / 3, 2 / 3, 1_234_567.8, 0, 0.000_012_345_678].map(rounded)).toEqual(["20.3333", "0.666667", "1,234,568", "0", "0.0000123457"]);
  expect(rounded(1 / 3e9)).toBe("3.33333E-10");
});
