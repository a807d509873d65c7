// @vitest-environment happy-dom

import { screen, waitFor } from "@testing-library/react";
import { useState } from "react";
import { expect, test } from "vitest";
import { Dialog } from "../../src/parts/dialog";
import { Field, Form, Tick } from "../../src/parts/forms";
import { shown } from "./page";

function Opener({ children, title = "Add device" }: { children: React.ReactNode; title?: string }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <button type="button" onClick={() => setOpen(true)}>
        Open {title}
      </button>
      {isOpen && (
        <Dialog title={title} close={() => setOpen(false)}>
          {children}
        </Dialog>
      )}
    </>
  );
}

const form = (
  <Form action="Send" submit={async () => undefined}>
    <Field name="name" label="Name" required />
    <Field name="kind" label="Type" required options={[["a", "First"], ["b", "Second"]]} />
    <Tick name="purge" label="Also delete" />
  </Form>
);

test("it begins at its first field, closes by Escape and gives the focus back", async () => {
  const user = shown(<Opener>{form}</Opener>);
  const opener = screen.getByRole("button", { name: "Open Add device" });
  await user.click(opener);
  await waitFor(() => expect(document.activeElement).toBe(screen.getByLabelText("Name")));
  await user.keyboard("{Escape}");
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  expect(document.activeElement).toBe(opener);
});

test.each([
  ["a text", async (user: ReturnType<typeof shown>) => user.type(screen.getByLabelText("Name"), "x")],
  ["a tick", async (user: ReturnType<typeof shown>) => user.click(screen.getByLabelText("Also delete"))],
  [
    "a choice",
    async (user: ReturnType<typeof shown>) => {
      await user.click(screen.getByLabelText("Type"));
      await user.click(await screen.findByRole("option", { name: "Second" }));
      await waitFor(() => expect(screen.queryByRole("option")).toBeNull());
    },
  ],
])("Escape asks before it loses %s", async (_, type) => {
  const user = shown(<Opener>{form}</Opener>);
  await user.click(screen.getByRole("button", { name: "Open Add device" }));
  await screen.findByRole("dialog");
  await type(user);
  await user.keyboard("{Escape}");
  await screen.findByText("Discard what you typed?");
  await user.click(screen.getByRole("button", { name: "Keep editing" }));
  expect(screen.queryByText("Discard what you typed?")).toBeNull();
  await user.keyboard("{Escape}");
  await user.click(await screen.findByRole("button", { name: "Discard" }));
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
});

test("Escape closes only the dialog that was opened last", async () => {
  const user = shown(
    <Opener title="First">
      <Opener title="Second">
        <p>Above</p>
      </Opener>
    </Opener>,
  );
  await user.click(screen.getByRole("button", { name: "Open First" }));
  await user.click(await screen.findByRole("button", { name: "Open Second" }));
  await screen.findByText("Above");
  await user.keyboard("{Escape}");
  await waitFor(() => expect(screen.queryByText("Above")).toBeNull());
  expect(screen.getByRole("dialog", { name: "First" })).toBeTruthy();
});

test("a press beside it closes nothing", async () => {
  const user = shown(<Opener>{form}</Opener>);
  await user.click(screen.getByRole("button", { name: "Open Add device" }));
  await screen.findByRole("dialog");
  await user.click(document.querySelector(".veil") as HTMLElement);
  expect(screen.getByRole("dialog")).toBeTruthy();
});
