// Who uses the page, and what this user may do. The server enforces all of it; the page only does not offer what would
// be refused.

import { computed, signal } from "@preact/signals";
import { ApiError, get, request } from "./client";

export type Permission = "browse" | "upload" | "modify" | "delete" | "administrate";

export interface Session {
  Name: string;
  Permissions: Permission[];
  /** The labels that this user may see, null for everything. */
  Labels: string[] | null;
  Authenticated: boolean;
  LoginAvailable: boolean;
}

const EVERYTHING: Session = {
  Name: "", Labels: null, Authenticated: true, LoginAvailable: false,
  Permissions: ["browse", "upload", "modify", "delete", "administrate"],
};

/** Null until the server has answered for the first time. */
export const session = signal<Session | null>(null);

export const needsLogin = computed(() => session.value !== null && !session.value.Authenticated && session.value.LoginAvailable);

/** Whether this user may do something; read in a component it is followed. */
export function may(permission: Permission): boolean {
  return session.value?.Permissions.includes(permission) ?? false;
}

/** Whether this user sees whatever is stored, and not only what has some label. */
export function seesAll(): boolean {
  return session.value?.Labels === null;
}

/** Whether this user may change what others see too: who sees some studies only may not, whatever else is allowed. */
export function mayModify(): boolean {
  return may("modify") && seesAll();
}

/** Whether this user may give files to the server: what comes in has no label, and so would not be seen by who needs one. */
export function mayUpload(): boolean {
  return may("upload") && seesAll();
}

/** Asks the server who this is. A server without sessions lets everybody do everything. */
export async function loadSession(): Promise<void> {
  try {
    session.value = await get<Session>("app/session");
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 404)) throw error;
    session.value = EVERYTHING;
  }
}

/** Raises ApiError, 401 for a wrong name or password and 429 after too many guesses. */
export async function logIn(name: string, password: string): Promise<void> {
  await request("POST", "app/session", JSON.stringify({ Name: name, Password: password }));
  await loadSession();
}

export async function logOut(): Promise<void> {
  await request("DELETE", "app/session");
  await loadSession();
}
