import { expect, test, vi } from "vitest";
import { byName, folded } from "../src/parts/search";

test("names are found without their accents", () => {
  expect(folded("Hồ Gươm")).toBe("ho guom");
  expect(folded("Đèn ĐƯỜNG")).toBe("den duong");
  expect(folded("Straße Ähre")).toBe("strasse ahre");
});

test("numbers in names count as numbers", () => {
  vi.stubGlobal("document", { documentElement: { lang: "en" } });
  expect(["Sensor 10", "sensor 2", "Sensor 1"].sort(byName().compare)).toEqual(["Sensor 1", "sensor 2", "Sensor 10"]);
  vi.unstubAllGlobals();
});
