// @vitest-environment happy-dom

import { screen, waitFor } from "@testing-library/react";
import { expect, test } from "vitest";
import { Problem } from "../../src/api";
import { Field, Form, Tick, type Values } from "../../src/parts/forms";
import { shown } from "./page";

const KINDS: [string, string][] = [["number", "Number"], ["text", "Text"]];

test("what was chosen and ticked is sent by name, and goes with what was typed", async () => {
  const sent: Values[] = [];
  const user = shown(
    <Form action="Send" again submit={async (values) => void sent.push(values)}>
      <Field name="key" label="Key" required />
      <Field name="kind" label="Type" required options={KINDS} />
      <Tick name="revoke" label="Revoke" />
    </Form>,
  );
  await user.type(screen.getByLabelText("Key"), "level");
  await user.click(screen.getByLabelText("Type"));
  await user.click(await screen.findByRole("option", { name: "Text" }));
  await user.click(screen.getByLabelText("Revoke"));
  await user.click(screen.getByRole("button", { name: "Send" }));
  await waitFor(() => expect(sent).toEqual([{ key: "level", kind: "text", revoke: "on" }]));
  // Empty again, also where a field is the library's.
  await waitFor(() => expect(screen.getByLabelText("Type").textContent).toBe("Number"));
  expect(screen.getByLabelText("Revoke").getAttribute("aria-checked")).toBe("false");
});

test("a form around a list hears what was chosen from it", async () => {
  const heard: string[] = [];
  const user = shown(
    <div onInput={(event) => heard.push((event.target as HTMLElement).tagName)}>
      <Form action="Send" submit={async () => undefined}>
        <Field name="kind" label="Type" required options={KINDS} />
      </Form>
    </div>,
  );
  await user.click(screen.getByLabelText("Type"));
  await user.click(await screen.findByRole("option", { name: "Text" }));
  await waitFor(() => expect(heard).toEqual(["FORM"]));
});

test("a refusal stands beside its field, which has the focus", async () => {
  const refused = new Problem(422, "", null, { kind: { code: "required", params: {} } });
  const user = shown(
    <Form action="Send" submit={() => Promise.reject(refused)}>
      <Field name="key" label="Key" />
      <Field name="kind" label="Type" required options={KINDS} />
    </Form>,
  );
  await user.click(screen.getByRole("button", { name: "Send" }));
  const field = screen.getByLabelText("Type");
  await waitFor(() => expect(field.getAttribute("aria-invalid")).toBe("true"));
  expect(document.activeElement).toBe(field);
  const about = document.getElementById(field.getAttribute("aria-describedby") as string);
  expect(about?.textContent).toContain("Type");
});
