// Which feeds a comparison shows is in its address: `#/compare?feeds=ID,ID&last=3600`.

import { type Span, written } from "../parts/span";
import type { Feed } from "../types";

/** As many as there are colours to tell them apart. */
export const FEEDS_MAX = 6;

/** Each once, in the order of the address. */
export const idsOf = (said: string): string[] => [...new Set(said.split(",").map((id) => id.trim()))].filter(Boolean);

/** The address of a comparison; without a range it opens where there are readings. */
export function compareAddress(ids: readonly string[], span: Span | null = null): string {
  const range = span ? Object.entries(written(span)).filter(([, value]) => value) : [];
  return `/compare?${new URLSearchParams([["feeds", ids.join()], ...range])}`;
}

/** The units in the order of the feeds: each has a scale, and the first two have an axis. */
export const unitsOf = (feeds: readonly Pick<Feed, "unit">[]): (string | null)[] => [...new Set(feeds.map(({ unit }) => unit || null))];

/** The colour of the feed at a place, from the palette. */
export const colourOf = (place: number): string => `--chart-${(place % FEEDS_MAX) + 1}`;
