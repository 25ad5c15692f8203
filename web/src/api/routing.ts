// Routing: rules by which stored images are sent on, and the queues of their destinations.

import { get, part, request } from "./client";
import type { Level } from "./types";

export interface Rule {
  Event: string;
  Enabled: boolean;
  Query: Record<string, string>;
  Labels: string[];
  Origin: Record<string, string>;
  Changes: string[];
  Destinations: string[];
}

export interface Destination {
  Type: string;
  Target: string;
  State: "Idle" | "Sending" | "Failing" | "Paused" | "Closed";
  /** Images that wait, that were set aside, that have been sent. */
  Pending: number;
  Failed: number;
  Sent: number;
  Oldest: { Date: string; ResourceType: Level; ID: string; Rule: string } | null;
  Attempts: number;
  NextAttempt: string | null;
  LastError: string;
  LastErrorDate: string | null;
  LastSuccess: string | null;
}

export interface Routing {
  Destinations: Record<string, Destination>;
  Rules: Record<string, Rule>;
}

export interface Trial {
  Rule: string;
  Event: string;
  Complete: boolean;
  Results: { ID: string; ResourceType: Level; Matches: boolean; Reason?: string; InstancesCount?: number; Destinations?: Record<string, number>; ChangeError?: string }[];
}

/** Raises ApiError with 404 where no routing is configured. */
export const getRouting = (stop?: AbortSignal) => get<Routing>("routing", { signal: stop });

export type QueueAction = "pause" | "resume" | "retry";

export async function changeQueue(destination: string, action: QueueAction): Promise<void> {
  await request("POST", `routing/destinations/${part(destination)}/${action}`, "");
}

/** What the rule would do with a resource; nothing is sent. */
export async function tryRule(rule: string, resource: string): Promise<Trial> {
  const answer = await request("POST", `routing/rules/${part(rule)}/try`, JSON.stringify({ Resources: [resource] }));
  return answer.json();
}
