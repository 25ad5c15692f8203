// What an administrator sees and changes: figures, servers that are known, the log.

import { get, getText, post, put } from "./client";
import type { Statistics } from "./types";

/** The server's counters at one instant, in seconds since the epoch. */
export interface Sample {
  Time: number;
  Instances: number;
  WrittenBytes: number;
  ReadBytes: number;
  Requests: number;
}

export interface Facts {
  Name: string;
  Version: string;
  DicomAet: string;
  DicomPort: number;
  HttpPort: number;
  DatabaseVersion: number;
  IsHttpServerSecure: boolean;
  OverwriteInstances: string | boolean;
  StorageCompression: boolean;
  IngestTranscoding: string;
  MaximumStorageSize: number;
  MaximumPatientCount: number;
  ReadOnly: boolean;
}

export interface Modality {
  AET: string;
  Host: string;
  Port: number;
  Manufacturer?: string;
}

export interface Peer {
  Url: string;
  Username?: string;
}

export const getFacts = (stop?: AbortSignal) => get<Facts>("system", { signal: stop });
export const getStatistics = (stop?: AbortSignal) => get<Statistics>("statistics", { signal: stop });
export const getHistory = (stop?: AbortSignal) => get<Sample[]>("tools/metrics-history", { signal: stop });
export const getModalities = (stop?: AbortSignal) => get<Record<string, Modality>>("modalities", { signal: stop, query: { expand: true } });
export const getPeers = (stop?: AbortSignal) => get<Record<string, Peer>>("peers", { signal: stop, query: { expand: true } });

/** Asks a modality whether it is there (C-ECHO). Raises ApiError if it is not. */
export async function echo(modality: string): Promise<void> {
  await post(`modalities/${encodeURIComponent(modality)}/echo`, {});
}

/** Asks a peer what it is; raises ApiError if it does not answer. */
export function askPeer(peer: string): Promise<{ Name?: string; Version?: string }> {
  return get(`peers/${encodeURIComponent(peer)}/system`);
}

export const LOG_LEVELS = ["default", "verbose", "trace"] as const;
export const getLogLevel = async (stop?: AbortSignal) => (await getText("tools/log-level", { signal: stop })).trim();
export const setLogLevel = (level: string) => put("tools/log-level", level);

/** The figures of Prometheus by name. */
export async function getMetrics(stop?: AbortSignal): Promise<Map<string, number>> {
  const text = await getText("tools/metrics-prometheus", { signal: stop });
  const lines = text.split("\n").map((line) => /^(\S+) (\S+)/.exec(line));
  return new Map(lines.flatMap((found) => (found ? [[found[1] ?? "", Number(found[2])] as const] : [])));
}
