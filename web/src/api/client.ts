// How the server is asked. All addresses are relative to the root of the REST API, without a slash before them:
// `get("studies/…")`. The page lies in app/, so this works below any prefix of a reverse proxy.

import { signal } from "@preact/signals";

export const ROOT = "../";

/** Rises when the server says that nobody is logged in any more: the page then shows the log-in form. */
export const loggedOut = signal(0);

/** What the server said instead of an answer, or that there was none (`status` 0). */
export class ApiError extends Error {
  constructor(readonly status: number, message: string, readonly code?: number) {
    super(message);
    this.name = "ApiError";
  }
}

/** Whether an error is only that somebody has called off what was asked for. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

/** What to show of an error. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export type Query = Record<string, string | number | boolean | undefined>;

/** The address of a route for the browser itself: pictures, links, downloads. */
export function address(path: string, query: Query = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== false);
  const text = given.map(([name, value]) => (value === true ? name : `${name}=${encodeURIComponent(String(value))}`)).join("&");
  return `${ROOT}${path}${text ? `?${text}` : ""}`;
}

/** A component of a path. */
export const part = encodeURIComponent;

export interface Options {
  query?: Query;
  signal?: AbortSignal | undefined;
  headers?: Record<string, string>;
}

/** Sends a request. Raises ApiError for everything but a good answer, and AbortError when `signal` says so. */
export async function request(method: string, path: string, body?: BodyInit | null, options: Options = {}): Promise<Response> {
  let answer;
  try {
    answer = await fetch(address(path, options.query), {
      method, body: body ?? null, signal: options.signal ?? null, headers: options.headers ?? {},
    });
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new ApiError(0, messageOf(error));
  }
  if (!answer.ok) throw await refusal(answer.status, answer.statusText, () => answer.text());
  return answer;
}

/** The error that an answer stands for. */
export async function refusal(status: number, reason: string, text: () => Promise<string> | string): Promise<ApiError> {
  if (status === 401) loggedOut.value++;
  let message = `${status} ${reason}`.trim();
  let code;
  try {
    const said = JSON.parse(await text());
    message = [said.Message, said.Details].filter(Boolean).join(": ") || message;
    code = said.OrthancStatus;
  } catch { /* an answer without description */ }
  return new ApiError(status, message, code);
}

export async function get<T>(path: string, options?: Options): Promise<T> {
  return (await request("GET", path, null, options)).json();
}

export async function getText(path: string, options?: Options): Promise<string> {
  return (await request("GET", path, null, options)).text();
}

/** Posts JSON, gives JSON. */
export async function post<T>(path: string, body: unknown, options?: Options): Promise<T> {
  return (await request("POST", path, JSON.stringify(body), options)).json();
}

/** Puts a text as it is, such as the name of a label's value; JSON has to be made by the caller. */
export async function put(path: string, body: BodyInit = "", options?: Options): Promise<void> {
  await request("PUT", path, body, options);
}

export async function remove<T = unknown>(path: string, options?: Options): Promise<T | null> {
  const text = await (await request("DELETE", path, null, options)).text();
  return text ? JSON.parse(text) : null;
}

/** How much of something has come or gone; `total` is null where nobody knows. */
export type Progress = (done: number, total: number | null) => void;

/** Sends a body and tells how much has gone, which fetch cannot. */
export function upload(path: string, body: Blob, progress?: Progress, stop?: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = new XMLHttpRequest();
    sent.open("POST", address(path));
    sent.upload.onprogress = (event) => progress?.(event.loaded, event.lengthComputable ? event.total : null);
    sent.onload = async () => {
      if (sent.status >= 200 && sent.status < 300) resolve(sent.responseText);
      else reject(await refusal(sent.status, sent.statusText, () => sent.responseText));
    };
    sent.onerror = () => reject(new ApiError(0, "The connection was lost"));
    sent.onabort = () => reject(new DOMException("", "AbortError"));
    // Taken back, since one signal may stand for thousands of files.
    const abort = () => sent.abort();
    sent.onloadend = () => stop?.removeEventListener("abort", abort);
    stop?.addEventListener("abort", abort);
    sent.send(body);
  });
}

/** The bytes of an answer, with how much has come. */
export async function download(path: string, progress?: Progress, options?: Options): Promise<Blob> {
  const answer = await request("GET", path, null, options);
  if (!answer.body || !progress) return answer.blob();
  const length = answer.headers.get("content-length");
  const total = length === null || answer.headers.has("content-encoding") ? null : Number(length);
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let done = 0;
  const reader = answer.body.getReader();
  for (;;) {
    const next = await reader.read();
    if (next.done) break;
    parts.push(next.value);
    progress((done += next.value.length), total);
  }
  return new Blob(parts, { type: answer.headers.get("content-type") ?? "" });
}

/** Server-sent events of a route until `stop`; the browser connects again by itself, but not behind an answer that is an
 * error: then `refused` is called. Nothing is heard while the page is hidden: a browser has six connections to a server
 * over HTTP/1.1 for all its pages together, and those that nobody looks at would take them from the one in front. When
 * it is shown again the stream begins anew; `query` is asked then, and says where to go on. */
export function events<T>(
  path: string, heard: (data: T, kind: string) => void, kinds: readonly string[], stop: AbortSignal, query: () => Query = () => ({}), refused?: () => void,
): void {
  let source: EventSource | null = null;

  function opened(): EventSource {
    const stream = new EventSource(address(path, query()));
    stream.addEventListener("error", () => { if (stream.readyState === EventSource.CLOSED) refused?.(); });
    for (const kind of kinds) stream.addEventListener(kind, (event) => heard(JSON.parse((event as MessageEvent<string>).data), kind));
    return stream;
  }

  function close(): void {
    source?.close();
    source = null;
  }

  function follow(): void {
    if (document.hidden) close();
    else source ??= opened();
  }

  if (stop.aborted) return;
  document.addEventListener("visibilitychange", follow, { signal: stop });
  stop.addEventListener("abort", close, { once: true });
  follow();
}
