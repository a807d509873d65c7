// @vitest-environment happy-dom

import { screen, waitFor } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { Action, RowMenu } from "../../src/parts/action";
import { shown } from "./page";

test("a row's menu asks before it deletes, says that it did, and keeps the focus at its button", async () => {
  const run = vi.fn(async () => undefined);
  const user = shown(<RowMenu of="Lamp" actions={[false, { name: "Delete", kind: "danger", ask: "Sure?", said: "Deleted", run }]} />);
  const button = screen.getByRole("button", { name: "Actions for Lamp" });
  await user.click(button);
  await user.click(await screen.findByRole("menuitem", { name: "Delete" }));
  await screen.findByText("Sure?");
  expect(run).not.toHaveBeenCalled();
  await user.click(screen.getByRole("button", { name: "Delete" }));
  await screen.findByText("Deleted");
  expect(run).toHaveBeenCalledOnce();
  await waitFor(() => expect(document.activeElement).toBe(button));
});

test("what a row's menu opens gives the focus back to its button", async () => {
  const seen: (Element | null)[] = [];
  const user = shown(<RowMenu of="Lamp" actions={[{ name: "Edit", open: () => seen.push(document.activeElement) }]} />);
  await user.click(screen.getByRole("button", { name: "Actions for Lamp" }));
  await user.click(await screen.findByRole("menuitem", { name: "Edit" }));
  await waitFor(() => expect(seen).toEqual([screen.getByRole("button", { name: "Actions for Lamp" })]));
});

test("a button works once at a time, and an error is said in words", async () => {
  let end = (_: Error): void => undefined;
  const run = vi.fn(() => new Promise((_, reject) => (end = reject)));
  const user = shown(<Action run={run}>Send</Action>);
  const button = screen.getByRole("button", { name: "Send" });
  await user.click(button);
  await user.click(button);
  expect(run).toHaveBeenCalledOnce();
  expect(button.getAttribute("aria-busy")).toBe("true");
  end(new Error("It is away"));
  await screen.findByText("It is away");
  expect(button.getAttribute("aria-busy")).toBe("false");
});
