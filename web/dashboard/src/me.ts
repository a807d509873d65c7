// Who is signed in. A new password or email ends all sessions and brings the next cookie with its answer:
// until that is there, a refusal says nothing about who is signed in.

import { type QueryClient, queryOptions } from "@tanstack/react-query";
import { Problem, get, patch, post } from "./api";
import { withCode } from "./parts/second_factor";
import type { User } from "./types";

const PATH = "/users/me";
const UNAUTHORIZED = 401;

let changes = 0;
let settled: Promise<unknown> = Promise.resolve();

function begun(change: Promise<unknown>): void {
  changes += 1;
  settled = Promise.allSettled([settled, change]);
}

// The other tabs have the same cookie, and wait for the next one, too. One that was closed never says that it came.
const tabs = typeof window === "undefined" ? null : new BroadcastChannel("roost.account");
const ELSEWHERE_MAX_MS = 30_000;
let done = (): void => {};
const waitElsewhere = (resolve: () => void): void => {
  done = resolve;
  setTimeout(resolve, ELSEWHERE_MAX_MS);
};
tabs?.addEventListener("message", ({ data }) => {
  if (data === "done") done();
  else begun(new Promise<void>(waitElsewhere));
});

/** Change the account: its answer is who is signed in from then on. While a code is typed, no change is under way. */
export const changeMe = (body: unknown, etag?: string): Promise<User> =>
  withCode((headers) => change(body, etag, headers));

function change(body: unknown, etag: string | undefined, headers: Record<string, string>): Promise<User> {
  return followed(patch<User>(PATH, body, etag, headers));
}

/** The token of a mailed link. A new address counts from then on, which ends all sessions but this one. */
export const verifyEmail = (token: string): Promise<User> => followed(post<User>("/email-verification", { token }));

function followed(answer: Promise<User>): Promise<User> {
  begun(answer);
  tabs?.postMessage("begun");
  const tell = (): void => tabs?.postMessage("done");
  answer.then(tell, tell);
  return answer;
}

/** Asked by the newest cookie. */
export async function whoIsIn(): Promise<User | null> {
  for (;;) {
    await settled;
    const before = changes;
    try {
      return await get<User>(PATH);
    } catch (error) {
      if (!(error instanceof Problem && error.status === UNAUTHORIZED)) throw error;
      if (before === changes) return null;
    }
  }
}

/** Null where nobody is signed in. Another tab may have signed in or out meanwhile. */
export const me = queryOptions({ queryKey: ["me"], queryFn: whoIsIn, staleTime: Infinity, refetchOnWindowFocus: "always" });

/** After a refusal: whether somebody is still signed in. Where nobody is, the pages end. */
export const isSignedIn = async (queries: QueryClient): Promise<boolean> =>
  (await queries.fetchQuery({ ...me, staleTime: 0 })) !== null;
