// Pictures that follow one another by themselves.

import { effect, signal } from "@preact/signals";
import type { Stack } from "./stack";

const USUAL_RATE = 15; // pictures for each second, of what does not say
export const RATES = [1, 2, 5, 10, 15, 20, 25, 30, 60];

export class Cine {
  readonly isPlaying = signal(false);
  readonly rate;
  private readonly end: () => void;

  constructor(private readonly stack: Stack, rate: number | undefined) {
    this.rate = signal(Math.min(Math.max(rate ?? USUAL_RATE, 0.5), 60));
    this.end = effect(() => (this.isPlaying.value ? this.play() : undefined));
  }

  /** What does not move cannot be played. */
  toggle(): void {
    this.isPlaying.value = !this.isPlaying.value && this.stack.length > 1;
  }

  close(): void {
    this.isPlaying.value = false;
    this.end();
  }

  private play(): () => void {
    let due = performance.now();
    const step = (now: number) => {
      request = requestAnimationFrame(step);
      if (now < due) return;
      const next = (this.stack.at.peek() + 1) % this.stack.length;
      // What is not there yet is waited for; what cannot be shown is passed over.
      if (!this.stack.isLoaded(next) && !this.stack.hasFailed(next)) this.stack.load(next);
      else this.stack.show(next);
      const pause = 1000 / this.rate.peek();
      due = Math.max(due + pause, now - pause);
    };
    let request = requestAnimationFrame(step);
    return () => cancelAnimationFrame(request);
  }
}
