// Who is signed in decides what there is: the gate, or the pages inside.

import { CSPProvider } from "@base-ui/react/csp-provider";
import { QueryClient, QueryClientProvider, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { Router } from "wouter";
import { usePath } from "./address";
import { Problem, get, onRefused } from "./api";
import { isSignedIn, me } from "./me";
import { Gate } from "./pages/gate";
import { CodeDialog } from "./parts/code_dialog";
import { forgetDrafts } from "./parts/drafts";
import { Toasts } from "./parts/toasts";
import { Loaded } from "./parts/ui";
import { Shell } from "./shell";
import { useTheme } from "./theme";
import { useLanguage } from "./words";

const isFinal = (error: unknown): boolean => error instanceof Problem && error.status >= 400 && error.status < 500;

const client = new QueryClient({
  defaultOptions: { queries: { staleTime: 10_000, retry: (tries, error) => !isFinal(error) && tries < 2 } },
});

export function App() {
  // Every text is drawn again in the other language; what somebody has typed stays.
  useLanguage();
  useTheme();
  return (
    <CSPProvider disableStyleElements>
      <QueryClientProvider client={client}>
        <Router hook={usePath}>
          <Inside />
        </Router>
        <CodeDialog />
        <Toasts />
      </QueryClientProvider>
    </CSPProvider>
  );
}

function Inside() {
  const queries = useQueryClient();
  const site = useQuery({ queryKey: ["site"], queryFn: () => get("/site"), staleTime: Infinity });
  const user = useQuery(me);
  // Without an answer nobody knows; the next refusal asks again.
  useEffect(() => onRefused(() => void isSignedIn(queries).catch(() => undefined)), [queries]);
  useOnePerson(user.data?.id, user.data === null);
  return (
    <Loaded of={site}>
      {(here) => (
        <Loaded of={user}>
          {(known) => (known ? <Shell key={known.id} user={known} /> : <Gate site={here} />)}
        </Loaded>
      )}
    </Loaded>
  );
}

/** Nothing of somebody stays who is not signed in any more, also where another tab signed in somebody else. */
function useOnePerson(id: string | undefined, isNobody: boolean): void {
  const queries = useQueryClient();
  const before = useRef<string | undefined>(undefined);
  useEffect(() => {
    const isAnother = id !== undefined && before.current !== undefined && before.current !== id;
    if (isNobody || isAnother) forgetDrafts();
    if (isNobody) queries.removeQueries({ predicate: ({ queryKey: [name] }) => name !== "me" && name !== "site" });
    if (isAnother) location.reload();
    if (id || isNobody) before.current = id;
  }, [queries, id, isNobody]);
}
