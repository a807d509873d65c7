// Measured values as they are stored, and what is computed of them.

import { locale, number } from "../words";

const [SMALLEST, LARGEST] = [1e-6, 1e15];
const DIGITS = 6; // of a computed value

/** Every digit of a stored number. */
export function measured(value: number): string {
  const size = Math.abs(value);
  const isPlain = value === 0 || (size >= SMALLEST && size < LARGEST);
  const shown: Intl.NumberFormatOptions = isPlain ? { maximumFractionDigits: 20 } : { notation: "scientific", maximumFractionDigits: 16 };
  return new Intl.NumberFormat(locale(), shown).format(value);
}

/** A computed number, such as an average: six digits, and all before the point. */
export function rounded(value: number): string {
  const size = Math.abs(value);
  if (value !== 0 && size < SMALLEST) return measured(Number(value.toPrecision(DIGITS)));
  return number(value, Math.max(0, DIGITS - 1 - Math.floor(Math.log10(size || 1))));
}
