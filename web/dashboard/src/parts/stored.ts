// What an answer to a change says is stored now.

import { type QueryClient, type QueryKey, notifyManager } from "@tanstack/react-query";
import { PRECONDITION_FAILED, Problem, type Versioned, patch } from "../api";
import { t } from "../words";

/** A look that began before the change may bring what was before: it counts no more. `shown`: done as it is drawn. */
export async function putStored(queries: QueryClient, queryKey: QueryKey, stored: unknown, shown = () => {}): Promise<void> {
  await queries.cancelQueries({ queryKey, exact: true });
  notifyManager.batch(() => {
    queries.setQueryData(queryKey, stored);
    notifyManager.schedule(shown);
  });
}

export const changedElsewhere = (): Error => new Error(t("Changed elsewhere meanwhile. Check it and try again."));

/** Change something over the version that is shown. Where it is another one by now, that is shown, and nothing changed. */
export async function patchShown<T extends object>(
  queries: QueryClient,
  queryKey: QueryKey,
  path: string,
  shown: T & Versioned,
  body: unknown,
): Promise<void> {
  try {
    await putStored(queries, queryKey, await patch<T>(path, body, shown.etag));
  } catch (error) {
    if (!(error instanceof Problem && error.status === PRECONDITION_FAILED)) throw error;
    await queries.invalidateQueries({ queryKey, exact: true });
    throw changedElsewhere();
  }
}
