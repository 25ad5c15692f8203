import { Value } from "./value";

/** The labels of a resource. */
export function Labels({ labels }: { labels: readonly string[] }) {
  return <>{labels.map((each) => <span key={each} class="label"><Value text={each} short /></span>)}</>;
}
