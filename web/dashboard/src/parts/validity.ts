// What a field holds that need not be sent, in the words of the API's own refusals. The browser's words would be
// in the language of the browser.

import type { Detail } from "../words/problems";

const PATTERNS: Record<string, string> = {
  "[A-Za-z0-9_\\-]+": "device_characters",
  "[a-z0-9_\\-]+": "key_characters",
  "[0-9]+(\\.[0-9]+)?": "not_price",
};

type Control = HTMLInputElement | HTMLTextAreaElement;

function refusalOf(control: Control): Detail | null {
  const { validity } = control;
  if (validity.valid) return null;
  const said = (code: string, params: Detail["params"] = {}): Detail => ({ code, params });
  if (!(control instanceof HTMLInputElement)) return said(validity.valueMissing ? "required" : "not_valid");
  if (validity.badInput) return said(control.type === "number" ? "not_number" : "not_valid");
  if (validity.valueMissing) return said("required");
  if (validity.typeMismatch) return said(control.type === "email" ? "not_email" : "url_scheme");
  if (validity.patternMismatch) return said(PATTERNS[control.pattern] ?? "not_valid");
  if (validity.tooShort) return said("text_too_short", { least: control.minLength });
  if (validity.rangeUnderflow) return said("too_small", { least: Number(control.min) });
  if (validity.rangeOverflow) return said("too_large", { most: Number(control.max) });
  return said(validity.stepMismatch ? "not_whole" : "not_valid");
}

/** Why the fields of a form cannot be sent, by their names. */
export function refusalsOf(form: HTMLFormElement): Record<string, Detail> {
  const found: Record<string, Detail> = {};
  for (const control of form.querySelectorAll<Control>("input[name], textarea[name]")) {
    const refusal = refusalOf(control);
    if (refusal) found[control.name] = refusal;
  }
  return found;
}
