// Requests for which the API asks for a code again, where the account has a second factor.
//
//   await withCode((headers) => post("/users/me/second-factor/recovery-codes", undefined, headers))

import { useSyncExternalStore } from "react";
import { Problem } from "../api";
import { t } from "../words";

const HEADER = "X-Second-Factor";
const NEEDED = "second_factor_needed";
const ABOUT_CODES = [NEEDED, "second_factor_wrong", "too_many_codes"];

export interface Asked {
  /** Rejects where another code may do. */
  send: (code: string) => Promise<void>;
  cancel: () => void;
}

let asked: Asked | null = null;
const listeners = new Set<() => void>();

function set(next: Asked | null): void {
  asked = next;
  for (const listener of listeners) listener();
}

/** What waits for a code now. */
export const askedNow = (): Asked | null => asked;

export const useAsked = (): Asked | null =>
  useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, askedNow);

const codeOf = (error: unknown): string => (error instanceof Problem ? (error.detail?.code ?? "") : "");

export const needsCode = (error: unknown): boolean => codeOf(error) === NEEDED;

/** Ask the API; where it needs a code, ask for that and try again. Rejects where somebody cancels. */
export async function withCode<T>(ask: (headers: Record<string, string>) => Promise<T>): Promise<T> {
  try {
    return await ask({});
  } catch (error) {
    if (!needsCode(error)) throw error;
  }
  return new Promise<T>((resolve, reject) => {
    asked?.cancel();
    const end = (): void => {
      if (asked === mine) set(null);
    };
    const mine: Asked = {
      send: async (code) => {
        try {
          resolve(await ask({ [HEADER]: code }));
        } catch (error) {
          if (ABOUT_CODES.includes(codeOf(error))) throw error;
          reject(error);
        }
        end();
      },
      cancel: () => {
        reject(new Error(t("Cancelled")));
        end();
      },
    };
    set(mine);
  });
}
