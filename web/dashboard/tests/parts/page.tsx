// What the parts of a page stand in, in tests.

import { CSPProvider } from "@base-ui/react/csp-provider";
import { cleanup, render } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import type { ReactNode } from "react";
import { afterEach } from "vitest";
import { Toasts } from "../../src/parts/toasts";

afterEach(cleanup);

export function shown(children: ReactNode) {
  const user = userEvent.setup();
  render(
    <CSPProvider disableStyleElements>
      <main>
        <h1 tabIndex={-1}>Page</h1>
        {children}
      </main>
      <Toasts />
    </CSPProvider>,
  );
  return user;
}
