interface Properties {
  label: string;
  done: number;
  /** Null where nobody knows. */
  total: number | null;
}

export function ProgressBar({ label, done, total }: Properties) {
  return total === null ? <progress aria-label={label} /> : <progress aria-label={label} value={done} max={total || 1} />;
}
