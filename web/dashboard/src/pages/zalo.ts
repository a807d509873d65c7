// Signing in with Zalo (OAuth v4 with PKCE): out to its page, and back with a code.

import type { Site } from "../types";

const KEPT = "roost.zalo";

const text = (bytes: Uint8Array): string =>
  btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

const chance = (size: number): string => text(crypto.getRandomValues(new Uint8Array(size)));

/** Leaves this page. The verifier stays in this tab; it is no token, and good for one sign-in. */
export async function beginZalo(zalo: NonNullable<Site["zalo"]>): Promise<void> {
  const verifier = chance(32);
  const state = chance(16);
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  sessionStorage.setItem(KEPT, JSON.stringify({ verifier, state }));
  const asked = new URLSearchParams({
    app_id: zalo.app_id,
    redirect_uri: `${location.origin}/`,
    code_challenge: text(new Uint8Array(hash)),
    state,
  });
  location.assign(`${zalo.permission_url}?${asked}`);
}

/** What Zalo's page sent us back with; null where nobody asked for it. The address is clean after. */
export function zaloAnswer(): { code: string; code_verifier: string } | null {
  const said = new URLSearchParams(location.search);
  const code = said.get("code");
  const kept = sessionStorage.getItem(KEPT);
  if (!code) return null;
  sessionStorage.removeItem(KEPT);
  history.replaceState(null, "", location.pathname + location.hash);
  const { verifier, state } = kept ? (JSON.parse(kept) as { verifier: string; state: string }) : { verifier: "", state: "" };
  return verifier && state === said.get("state") ? { code, code_verifier: verifier } : null;
}
