// The REST API. The browser's cookie says who asks: no script ever sees a token.

import type { Reads } from "./api_types";
import type { Detail } from "./words/problems";

const PREFIX = "/api/v1";
// Where 401 is an answer, not the end of a session.
const ASKS_WHO = ["/login/access-token", "/zalo-user-management/callback", "/users/me"];

/** An error answer (RFC 9457): what is wrong with the whole, or with its fields. Where no answer came, `message` says it. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly detail: Detail | null = null,
    readonly errors: Record<string, Detail> = {},
  ) {
    super(message);
  }
}

type Listener = () => void;
const whenRefused = new Set<Listener>();

/** Called whenever an answer is 401: the session may have ended. */
export function onRefused(listener: Listener): () => void {
  whenRefused.add(listener);
  return () => whenRefused.delete(listener);
}

interface ProblemView {
  code?: string;
  params?: Detail["params"];
  error_codes?: Record<string, Detail>;
}

/** A proxy may answer with no problem at all. */
function problemOf(status: number, { code, params = {}, error_codes }: ProblemView): Problem {
  return new Problem(status, `status ${status}`, code === undefined ? null : { code, params }, error_codes);
}

/** An answer of the API that is no problem. Rejects with `Problem`; status 0 where no answer came at all. */
async function ask(method: string, path: string, body: unknown, headers: Record<string, string>, signal?: AbortSignal): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(PREFIX + path, {
      method,
      credentials: "same-origin",
      signal,
      headers: body === undefined ? headers : { "Content-Type": "application/json", ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Problem(0, "Can't reach the server. Check your connection.");
  }
  if (!response.ok) {
    const problem = problemOf(response.status, await response.json().catch(() => ({})));
    if (response.status === 401 && !ASKS_WHO.includes(path)) for (const listener of whenRefused) listener();
    throw problem;
  }
  return response;
}

export async function call<T>(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
  signal?: AbortSignal,
): Promise<T> {
  const response = await ask(method, path, body, headers, signal);
  if (response.status === 204 || response.headers.get("Content-Length") === "0") return undefined as T;
  const said = (await response.json()) as T;
  const etag = response.headers.get("ETag");
  return etag !== null && typeof said === "object" ? { ...said, etag } : said;
}

/** Save what the API answers as a file. */
export async function download(path: string, filename: string, headers: Record<string, string> = {}): Promise<void> {
  const response = await ask("GET", path, undefined, headers);
  save(await response.blob(), filename);
}

/** Save a text as a file. */
export function saveAs(text: string, filename: string, type: string): void {
  save(new Blob([text], { type }), filename);
}

function save(content: Blob, filename: string): void {
  const address = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = address;
  link.download = filename;
  link.click();
  URL.revokeObjectURL(address);
}

/** Post a reading as a device does, by its own login; whether somebody is signed in has nothing to do with it. Answers
    with the reason why it was refused, or null. */
export async function postAs(login: { username: string; password: string }, path: string, body: string): Promise<string | null> {
  let response: Response;
  try {
    response = await fetch(PREFIX + path, {
      method: "POST",
      credentials: "omit",
      headers: { Authorization: `Basic ${btoa(`${login.username}:${login.password}`)}` },
      body,
    });
  } catch {
    throw new Problem(0, "Can't reach the server. Check your connection.");
  }
  const said = await response.json().catch(() => ({}));
  if (!response.ok) throw problemOf(response.status, said);
  return said.readings?.find((each: { outcome: string }) => each.outcome === "refused")?.reason ?? null;
}

/** An object with the version that it was read at, for `If-Match`. */
export interface Versioned {
  etag?: string;
}

export const PRECONDITION_FAILED = 412;

/** A path of the document with anything in the places of its parameters: "/feeds/{feed_id}" is `/feeds/${string}`. */
type Filled<P extends string> = P extends `${infer Before}{${string}}${infer After}` ? `${Before}${string}${Filled<After>}` : P;
/** Without what asks for a part of it; a parameter is never empty and has no slash. */
type Bare<P extends string> = P extends `${infer Path}?${string}` ? Path : P;
type Deep<P extends string> = P extends `${infer Before}/${infer After}` ? [Before, ...Deep<After>] : [P];
/** What the document says that a GET of this path brings. */
export type Answer<P extends string> = Bare<P> extends keyof Reads ? Reads[Bare<P>] : Pattern<Bare<P>>;
type Pattern<P extends string> = {
  [K in keyof Reads]: P extends Filled<K> ? (Deep<P>["length"] extends Deep<K>["length"] ? Reads[K] : never) : never;
}[keyof Reads];

/** `get("/site")` knows what it brings; where a narrower type is known, it is named: `get<Site>("/site")`. `signal` ends it early. */
export function get<P extends string>(path: [Answer<P>] extends [never] ? never : P, signal?: AbortSignal): Promise<Answer<P>>;
export function get<T>(path: string, signal?: AbortSignal): Promise<T>;
export function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return call<T>("GET", path, undefined, {}, signal);
}
export const post = <T>(path: string, body?: unknown, headers?: Record<string, string>): Promise<T> =>
  call<T>("POST", path, body, headers);
/** Change an object; with an `etag` only if it is still that version. */
export const patch = <T>(
  path: string,
  body: unknown,
  etag?: string,
  headers: Record<string, string> = {},
): Promise<T> => call<T>("PATCH", path, body, etag === undefined ? headers : { "If-Match": etag, ...headers });
export const remove = <T>(path: string): Promise<T> => call<T>("DELETE", path);

/** A query string of what is set. */
export function query(asked: Record<string, string | number | boolean | null | undefined>): "" | `?${string}` {
  const set = Object.entries(asked).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return set.length ? `?${new URLSearchParams(set.map(([name, value]) => [name, String(value)]))}` : "";
}

export const apiPath = (path: string): string => PREFIX + path;

/** Upload a file; `progress` hears how much of it (0 to 1) is on its way. */
export function upload<T>(file: File, progress: (part: number) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `${PREFIX}/media`);
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.onerror = () => reject(new Problem(0, "Upload interrupted. Try again."));
    request.onload = () => {
      let said: ProblemView = {};
      try {
        said = JSON.parse(request.responseText);
      } catch {
        // A proxy's page: its status says enough.
      }
      if (request.status < 300) resolve(said as T);
      else reject(problemOf(request.status, said));
    };
    const form = new FormData();
    form.append("file", file);
    request.send(form);
  });
}
