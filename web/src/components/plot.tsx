// A line over time: small, without axes, its greatest value written beside it.

interface Properties {
  label: string;
  /** Instants in seconds, and the value at each. */
  points: readonly (readonly [number, number])[];
  format: (value: number) => string;
}

const WIDTH = 300;
const HEIGHT = 64;

export function Plot({ label, points, format }: Properties) {
  const values = points.map(([, value]) => value);
  const greatest = Math.max(0, ...values);
  const first = points[0]?.[0] ?? 0;
  const span = (points[points.length - 1]?.[0] ?? 0) - first || 1;
  const line = points.map(([time, value]) => `${((time - first) / span) * WIDTH},${HEIGHT - 2 - (greatest ? (value / greatest) * (HEIGHT - 6) : 0)}`);
  const now = values[values.length - 1] ?? 0;
  return (
    <figure class="plot">
      <figcaption>{label} <strong>{format(now)}</strong></figcaption>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={`${label}: ${format(now)}, max. ${format(greatest)}`}>
        {line.length > 1 && <polygon points={`0,${HEIGHT} ${line.join(" ")} ${WIDTH},${HEIGHT}`} />}
        {line.length > 1 && <polyline points={line.join(" ")} />}
      </svg>
      <small class="quiet">max. {format(greatest)}</small>
    </figure>
  );
}
