// What the API refuses is said in the reader's language, by its code.

import { beforeEach, expect, test, vi as spy } from "vitest";
import { Problem } from "../src/api";
import { inWords } from "../src/parts/toasts";
import { setLanguage } from "../src/words";
import english from "../src/words/problems.json";
import { detailText, fieldText, toldOrQuoted, toldText, vietnamese } from "../src/words/problems";
import { viProblems } from "../src/words/vi_problems";
import { viRecords } from "../src/words/vi_records";

const ENGLISH = Object.entries(english);

beforeEach(() => {
  spy.stubGlobal("localStorage", { setItem: () => undefined });
  spy.stubGlobal("document", { documentElement: {} });
  setLanguage("en");
});

test("every code has a Vietnamese text, sorted", () => {
  for (const table of [viProblems, viRecords]) expect(Object.keys(table)).toEqual(Object.keys(table).sort());
  expect(Object.keys(vietnamese).sort()).toEqual(Object.keys(english).sort());
  expect(Object.keys(viProblems).filter((code) => code in viRecords)).toEqual([]);
  for (const [code, text] of ENGLISH) expect(vietnamese[code as keyof typeof english], code).not.toBe(text);
});

test("both languages fill in the same; Vietnamese leaves out what is English itself", () => {
  const places = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(String);
  const englishOnly = ["{problem}", "{types}"];
  for (const [code, text] of ENGLISH) {
    const other = places(vietnamese[code as keyof typeof english]);
    expect(places(text).filter((place) => !other.includes(place) && !englishOnly.includes(place)), code).toEqual([]);
    expect(other.filter((place) => !text.includes(place)), code).toEqual([]);
  }
});

test("no text ends with a full stop", () => {
  for (const text of [...Object.values(english), ...Object.values(vietnamese)]) expect(text).not.toMatch(/\.$/);
});

test("an alarm and a warning have two names in Vietnamese", () => {
  for (const [code, text] of Object.entries(vietnamese)) expect(text.toLowerCase(), code).not.toContain("cảnh báo");
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

test("a record is told by its code, and where it has none as it was stored", () => {
  const silent = { detail: "silent for more than 300 s", code: "offline_silent", params: { seconds: 300 } };
  const mine = { detail: "valve is stuck", code: null, params: {} };
  const later = { detail: "something new", code: "of_a_newer_server", params: {} };
  expect(toldText(silent)).toBe("silent for more than 300 s");
  expect(toldOrQuoted({ detail: null, code: null, params: {} })).toBe("");
  setLanguage("vi");
  expect(toldText(silent)).toBe("không gửi gì trong hơn 300 giây");
  expect(toldOrQuoted(silent)).toBe("Không gửi gì trong hơn 300 giây");
  expect(toldText(mine)).toBe("valve is stuck");
  expect(toldOrQuoted(mine)).toBe("“valve is stuck”");
  expect(toldOrQuoted(later)).toBe("Something new");
  const inside = { detail: "x", code: "delivery_not_public", params: { host: "nas.lan" } };
  expect(toldOrQuoted(inside)).toBe("nas.lan không có địa chỉ nào trên mạng công cộng");
});

test("what others say is a quotation within a text, and numbers keep what they say", () => {
  setLanguage("vi");
  const places = Object.entries(viRecords).filter(([, text]) => text.includes("{problem}"));
  expect(places.length).toBeGreaterThan(5);
  for (const [code, text] of places) expect(text, code).toContain("“{problem}”");
  const below = (value: number) => detailText({ code: "value_below", params: { value, limit: 0.001 } });
  expect(below(-1234567)).toBe("-1.234.567 thấp hơn mức tối thiểu 0,001");
  expect(below(-1e300)).toBe("-1e+300 thấp hơn mức tối thiểu 0,001");
});
