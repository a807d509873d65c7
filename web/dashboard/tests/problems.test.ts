// What the API refuses is said in the reader's language, by its code.

import { beforeEach, expect, test, vi as spy } from "vitest";
import { Problem } from "../src/api";
import { inWords } from "../src/parts/toasts";
import { setLanguage } from "../src/words";
import english from "../src/words/problems.json";
import { detailText, fieldText } from "../src/words/problems";
import { viProblems } from "../src/words/vi_problems";

const ENGLISH = Object.entries(english);

beforeEach(() => {
  spy.stubGlobal("localStorage", { setItem: () => undefined });
  spy.stubGlobal("document", { documentElement: {} });
  setLanguage("en");
});

test("every code has a Vietnamese text, sorted", () => {
  expect(Object.keys(viProblems)).toEqual(Object.keys(english).sort());
  for (const [code, text] of ENGLISH) expect(viProblems[code as keyof typeof english], code).not.toBe(text);
});

test("both languages fill in the same; Vietnamese leaves out what is English itself", () => {
  const places = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(String);
  const englishOnly = ["{problem}", "{types}"];
  for (const [code, text] of ENGLISH) {
    const other = places(viProblems[code as keyof typeof english]);
    expect(places(text).filter((place) => !other.includes(place) && !englishOnly.includes(place)), code).toEqual([]);
    expect(other.filter((place) => !text.includes(place)), code).toEqual([]);
  }
});

test("no text ends with a full stop", () => {
  for (const text of [...Object.values(english), ...Object.values(viProblems)]) expect(text).not.toMatch(/\.$/);
});

test("an alarm and a warning have two names in Vietnamese", () => {
  for (const [code, text] of Object.entries(viProblems)) expect(text.toLowerCase(), code).not.toContain("cảnh báo");
});

test("values are shown as the reader writes them", () => {
  const tooLarge = { code: "file_too_large", params: { most: 1_500_000 } };
  const ended = { code: "order_ended", params: { state: "cancelled" } };
  expect(detailText(tooLarge)).toBe("A file can have at most 1,500,000 bytes now");
  expect(detailText(ended)).toBe("This order is already cancelled");
  setLanguage("vi");
  expect(detailText(tooLarge)).toBe("Hiện một tệp chỉ được có tối đa 1.500.000 byte");
  expect(detailText(ended)).toBe("Đơn hàng này đã hủy");
});

test("a text about a field is told with its label", () => {
  expect(fieldText("Name", { code: "empty", params: {} })).toBe("Name must not be empty");
  expect(fieldText("Rule", { code: "rule_week_number", params: {} })).toBe("Rule: BYWEEKNO requires FREQ=YEARLY");
  setLanguage("vi");
  expect(fieldText("Tên", { code: "nonsense", params: {} })).toBe("Tên không hợp lệ");
});

test("a problem is told once, and never by a name of the API or in another language", () => {
  setLanguage("vi");
  const far = { code: "start_past", params: { seconds: 5 } };
  expect(inWords(new Problem(422, "x", { code: "invalid", params: {} }, { trigger_time: far }))).toBe(
    "Bắt đầu đã qua 5 giây, hoặc bị loại trừ",
  );
  const required = { code: "required", params: {} };
  expect(inWords(new Problem(422, "x", null, { some_name: required, other_name: required }))).toBe("Một giá trị là bắt buộc");
  expect(inWords(new Problem(409, "Conflict", { code: "constructor", params: {} }))).toBe("Yêu cầu không thành công (409). Hãy thử lại.");
  expect(inWords(new Problem(502, "Bad gateway"))).toBe("Yêu cầu không thành công (502). Hãy thử lại.");
  expect(inWords(new Problem(0, "Upload interrupted. Try again."))).not.toContain("Upload");
  expect(inWords(new TypeError("x is undefined"))).toBe("Đã xảy ra lỗi");
  expect(inWords(new Error("Đã nói"))).toBe("Đã nói");
});
