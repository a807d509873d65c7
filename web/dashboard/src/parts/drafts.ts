// Drafts outlive their form: a link or Escape loses nothing that was typed. They are kept by this page alone,
// until they are saved or discarded, or somebody signs out.

import type { Draft } from "./draft";

const kept = new Map<string, Draft>();

/** The browser asks before it leaves with something that was typed. */
const ask = (event: Event): void => event.preventDefault();

export const draftOf = (form: string): Draft => kept.get(form) ?? {};

export function keepDraft(form: string, draft: Draft): void {
  if (Object.keys(draft).length) kept.set(form, draft);
  else kept.delete(form);
  if (kept.size) addEventListener("beforeunload", ask);
  else removeEventListener("beforeunload", ask);
}

/** All, or those over something that was deleted. */
export function forgetDrafts(path?: string): void {
  for (const form of [...kept.keys()]) if (path === undefined || form.startsWith(`${path} `)) keepDraft(form, {});
}
