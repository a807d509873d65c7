// @vitest-environment happy-dom

import { expect, test } from "vitest";
import { credit, streets } from "../src/parts/tiles";
import type { Site } from "../src/types";

const SITE = { map_tiles_url: "https://t.example/{z}/{x}/{y}.png", map_attribution: "© A & <B>", map_attribution_url: null, map_zoom_max: 19 };

test("the credit is text, and links to the page of those who made the map", () => {
  expect(credit(SITE)).toBe("© A &#38; &#60;B&#62;");
  const linked = credit({ ...SITE, map_attribution_url: 'https://a.example/?"x' });
  expect(linked).toBe('<a href="https://a.example/?&#34;x" target="_blank" rel="noreferrer">© A &#38; &#60;B&#62;</a>');
  expect(credit({ map_attribution: "", map_attribution_url: "https://a.example" })).toBe("");
});

test("a tile server hears the origin of the page, and is asked for no zoom that it does not have", () => {
  const { options } = streets(SITE as unknown as Site & { map_tiles_url: string });
  expect(options.referrerPolicy).toBe("strict-origin-when-cross-origin");
  expect(options.maxNativeZoom).toBe(19);
});
