// A text that comes from elsewhere.

const SHORT = 200; // characters

interface Properties {
  text: string;
  /** Show no more than the beginning, as a cell of a list has room for. */
  short?: boolean;
}

/** Never markup, and whatever its direction is it does not turn what stands around it. */
export function Value({ text, short = false }: Properties) {
  const cut = short && text.length > SHORT;
  return <bdi class="value">{cut ? `${text.slice(0, SHORT)}…` : text}</bdi>;
}
