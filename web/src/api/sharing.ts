// Links by which others see one study without logging in.

import { get, part, post, remove } from "./client";

export interface Share {
  ID: string;
  /** Who made it. */
  User: string;
  /** Moments of Orthanc, in UTC. */
  Created: string;
  Expires: string;
}

export interface NewShare {
  ID: string;
  /** Relative to the root of the server; it cannot be asked for again. */
  Url: string;
  Expires: string;
}

const pathOf = (study: string) => `studies/${part(study)}/share`;

/** Those that still hold. */
export const getShares = (study: string, stop?: AbortSignal) => get<Share[]>(pathOf(study), { signal: stop });

/** Raises ApiError where it would hold longer than the server allows. */
export const share = (study: string, seconds: number) => post<NewShare>(pathOf(study), { Validity: seconds });

/** Ends a link at once. */
export const unshare = (study: string, id: string) => remove(`${pathOf(study)}/${part(id)}`);
