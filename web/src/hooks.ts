// What components share.

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { isAbort } from "./api/client";

export interface Loaded<T> {
  /** What came last; it stays while something newer is on its way. */
  value: T | undefined;
  error: unknown;
  loading: boolean;
  reload(): void;
}

/** Runs `load` now and whenever `changing` changes; what it was waiting for until then is called off. */
export function useLoaded<T>(load: (stop: AbortSignal) => Promise<T>, changing: readonly unknown[]): Loaded<T> {
  const [state, setState] = useState<Omit<Loaded<T>, "reload">>({ value: undefined, error: undefined, loading: true });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    setState((before) => ({ ...before, loading: true }));
    load(stop.signal).then(
      (value) => { if (!stop.signal.aborted) setState({ value, error: undefined, loading: false }); },
      (error) => { if (!stop.signal.aborted && !isAbort(error)) setState((before) => ({ ...before, error, loading: false })); },
    );
    return () => stop.abort();
  }, [...changing, turn]);
  const reload = useCallback(() => setTurn((before) => before + 1), []);
  return { ...state, reload };
}

/** The value as it was when it had not changed for some milliseconds: for what somebody types. */
export function useSettled<T>(value: T, milliseconds: number): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), milliseconds);
    return () => clearTimeout(timer);
  }, [value, milliseconds]);
  return settled;
}

/** The title of the window. */
export function useTitle(text: string): void {
  useEffect(() => { document.title = text; }, [text]);
}

/** Calls when something outside of the element is pressed. */
export function usePressOutside<E extends HTMLElement>(isOpen: boolean, close: () => void) {
  const element = useRef<E>(null);
  useEffect(() => {
    if (!isOpen) return undefined;
    const pressed = (event: Event) => { if (!element.current?.contains(event.target as Node)) close(); };
    addEventListener("pointerdown", pressed);
    return () => removeEventListener("pointerdown", pressed);
  }, [isOpen]);
  return element;
}

let last = 0;

/** An id that no other element has, for labels and descriptions. */
export function useUnique(name: string): string {
  return useState(() => `${name}-${++last}`)[0];
}
