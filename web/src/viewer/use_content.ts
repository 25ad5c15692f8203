// The series that is shown, loaded for a component.

import { useEffect, useState } from "preact/hooks";
import { isAbort } from "../api/client";
import { getResource } from "../api/resources";
import { Cine } from "./cine";
import { described, framePlaces, frameRate, type Kind, startOf } from "./content";
import { Stack } from "./stack";
import type { Tags } from "./tags";

export interface Content {
  kind: Kind | null;
  stack: Stack | null;
  cine: Cine | null;
  instances: string[];
  /** Of the instance that was looked at first. */
  tags: Tags | null;
  error: unknown;
}

const NOTHING: Content = { kind: null, stack: null, cine: null, instances: [], tags: null, error: null };

/** What a series is made of; all that was loaded of the one before is given up. */
export function useContent(series: string, turn: number): Content {
  const [content, setContent] = useState<Content>(NOTHING);
  useEffect(() => {
    const stop = new AbortController();
    const begun: { stack?: Stack; cine?: Cine } = {};
    setContent(NOTHING);
    open(series, stop.signal, begun, (next) => { if (!stop.signal.aborted) setContent(next); }).catch((error) => {
      if (!stop.signal.aborted && !isAbort(error)) setContent((before) => ({ ...before, error }));
    });
    return () => {
      stop.abort();
      begun.cine?.close();
      begun.stack?.close();
    };
  }, [series, turn]);
  return content;
}

async function open(series: string, stop: AbortSignal, begun: { stack?: Stack; cine?: Cine }, show: (content: Content) => void): Promise<void> {
  const places = await framePlaces(series, stop).catch((error) => {
    if (isAbort(error)) throw error;
    return []; // what has no order may have instances all the same
  });
  const start = startOf(places);
  const instances = places.length ? [...new Set(places.map(({ instance }) => instance))] : ((await getResource("Series", series, stop)).Instances ?? []);
  const first = places[start]?.instance ?? instances[0];
  if (first === undefined) throw new Error(series);
  // Pixels are asked for at once, as if it were pictures, which most series are.
  const stack = places.length ? (begun.stack = new Stack(series, places, start)) : null;
  if (stop.aborted) stack?.close();
  const { tags, kind } = await described(first, stop);
  if (kind !== "stack" || !stack) {
    stack?.close();
    show({ ...NOTHING, kind: kind === "stack" ? "other" : kind, instances, tags });
    return;
  }
  const cine = (begun.cine = new Cine(stack, frameRate(tags)));
  show({ ...NOTHING, kind, stack, cine, instances, tags });
  await stack.describe(first, tags);
}
