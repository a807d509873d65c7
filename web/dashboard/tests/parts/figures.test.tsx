// @vitest-environment happy-dom

import { screen } from "@testing-library/react";
import { expect, test } from "vitest";
import { Card, Change } from "../../src/parts/figures";
import { shown } from "./page";

test("a tile shows how its figure went, where there is more than one value", () => {
  shown(
    <>
      <Card name="Orders" value="5" trend={[0, 2, 5]} />
      <Card name="Alarms" value="1" trend={[1]} />
    </>,
  );
  expect(document.querySelectorAll(".spark")).toHaveLength(1);
  expect(document.querySelector(".spark path:last-child")?.getAttribute("d")).toBe("M0.0 24.0L50.0 14.4L100.0 0.0");
});

test("a change is in percent of what was before, and nothing without that", () => {
  shown(
    <>
      <p title="more"><Change before={4} now={6} title="than before" /></p>
      <p title="less"><Change before={4} now={3} title="than before" /></p>
      <p title="none"><Change before={0} now={3} title="than before" /></p>
    </>,
  );
  expect(screen.getByTitle("more").textContent).toBe("+50 % than before");
  expect(screen.getByTitle("less").textContent).toBe("-25 % than before");
  expect(screen.getByTitle("none").textContent).toBe("");
});
