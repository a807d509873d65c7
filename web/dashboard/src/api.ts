// The REST API. The browser's cookie says who asks: no script ever sees a token.

const PREFIX = "/api/v1";
// Where 401 is an answer, not the end of a session.
const ASKS_WHO = ["/login/access-token", "/zalo-user-management/callback", "/users/me"];

/** An error answer (RFC 9457): `detail` in words, `errors` by field. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly errors: Record<string, string> = {},
  ) {
    super(detail || title);
  }
}

type Listener = () => void;
const whenSignedOut = new Set<Listener>();

/** Called whenever an answer says that the session has ended. */
export function onSignedOut(listener: Listener): () => void {
  whenSignedOut.add(listener);
  return () => whenSignedOut.delete(listener);
}

export function signedOut(): void {
  for (const listener of whenSignedOut) listener();
}

async function problemOf(response: Response): Promise<Problem> {
  try {
    const said = await response.json();
    return new Problem(response.status, said.title ?? "", said.detail ?? "", said.errors ?? {});
  } catch {
    return new Problem(response.status, response.statusText, `${response.status} ${response.statusText}`);
  }
}

/** Ask the API. Rejects with `Problem`; status 0 where no answer came at all. */
export async function call<T>(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<T> {
  let response: Response;
  try {
    response = await fetch(PREFIX + path, {
      method,
      credentials: "same-origin",
      headers: body === undefined ? headers : { "Content-Type": "application/json", ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Problem(0, "No answer", "Can't reach the server. Check your connection.");
  }
  if (!response.ok) {
    const problem = await problemOf(response);
    if (response.status === 401 && !ASKS_WHO.includes(path)) signedOut();
    throw problem;
  }
  if (response.status === 204 || response.headers.get("Content-Length") === "0") return undefined as T;
  const said = (await response.json()) as T;
  const etag = response.headers.get("ETag");
  return etag !== null && typeof said === "object" ? { ...said, etag } : said;
}

/** An object with the version that it was read at, for `If-Match`. */
export interface Versioned {
  etag?: string;
}

export const PRECONDITION_FAILED = 412;

export const get = <T>(path: string): Promise<T> => call<T>("GET", path);
export const post = <T>(path: string, body?: unknown, headers?: Record<string, string>): Promise<T> =>
  call<T>("POST", path, body, headers);
/** Change an object; with an `etag` only if it is still that version. */
export const patch = <T>(path: string, body: unknown, etag?: string): Promise<T> =>
  call<T>("PATCH", path, body, etag === undefined ? {} : { "If-Match": etag });
export const remove = <T>(path: string): Promise<T> => call<T>("DELETE", path);

/** A query string of what is set. */
export function query(asked: Record<string, string | number | boolean | null | undefined>): string {
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
    request.onerror = () => reject(new Problem(0, "No answer", "Upload interrupted. Try again."));
    request.onload = () => {
      let said: any = {};
      try {
        said = JSON.parse(request.responseText);
      } catch {
        said = { title: request.statusText };
      }
      if (request.status < 300) resolve(said as T);
      else reject(new Problem(request.status, said.title ?? "", said.detail ?? "", said.errors ?? {}));
    };
    const form = new FormData();
    form.append("file", file);
    request.send(form);
  });
}
