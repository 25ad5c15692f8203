// Fields of forms, each with its label; hints and errors are read out with them.

import { useUnique } from "../hooks";

interface Shared {
  label: string;
  hint?: string | undefined;
  error?: string | undefined;
}

interface InputProperties extends Shared {
  value: string;
  onValue: (value: string) => void;
  type?: "text" | "search" | "password" | "number" | "date";
  name?: string;
  autocomplete?: AutoFill;
  placeholder?: string;
  required?: boolean;
  autofocus?: boolean;
  disabled?: boolean;
  readOnly?: boolean;
  min?: string;
  max?: string;
  /** What is offered; anything else can be written too. */
  suggestions?: readonly string[];
}

export function TextField({ label, hint, error, value, onValue, type = "text", suggestions, ...rest }: InputProperties) {
  const id = useUnique("field");
  // Preact's types know which roles each type of input may have, and so none of several types.
  const kind = { type, ...(suggestions ? { list: `${id}-list` } : {}) } as { type: "password" };
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input {...rest} {...kind} id={id} value={value} aria-invalid={error ? true : undefined} aria-describedby={hint || error ? `${id}-note` : undefined}
        onInput={(event) => onValue(event.currentTarget.value)} />
      {suggestions && <datalist id={`${id}-list`}>{suggestions.map((each) => <option key={each} value={each} />)}</datalist>}
      <Note id={id} hint={hint} error={error} />
    </div>
  );
}

type AreaProperties = Shared & { value: string; onValue: (value: string) => void; rows?: number };

export function TextArea({ label, hint, error, value, onValue, rows = 4 }: AreaProperties) {
  const id = useUnique("field");
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <textarea id={id} rows={rows} value={value} aria-invalid={error ? true : undefined} aria-describedby={hint || error ? `${id}-note` : undefined}
        onInput={(event) => onValue(event.currentTarget.value)} />
      <Note id={id} hint={hint} error={error} />
    </div>
  );
}

interface SelectProperties extends Shared {
  value: string;
  options: readonly { value: string; label: string }[];
  onValue: (value: string) => void;
}

export function SelectField({ label, hint, error, value, options, onValue }: SelectProperties) {
  const id = useUnique("field");
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select id={id} value={value} aria-describedby={hint || error ? `${id}-note` : undefined} onChange={(event) => onValue(event.currentTarget.value)}>
        {options.map((each) => <option key={each.value} value={each.value}>{each.label}</option>)}
      </select>
      <Note id={id} hint={hint} error={error} />
    </div>
  );
}

interface CheckProperties {
  label: string;
  value: boolean;
  onValue: (value: boolean) => void;
  disabled?: boolean;
  /** Neither on nor off: of several things that it stands for some are on. */
  isPartly?: boolean;
}

export function CheckField({ label, value, onValue, disabled = false, isPartly = false }: CheckProperties) {
  return (
    <label class="check-field">
      <input type="checkbox" checked={value} indeterminate={isPartly} disabled={disabled} onChange={(event) => onValue(event.currentTarget.checked)} /> {label}
    </label>
  );
}

function Note({ id, hint, error }: { id: string; hint: string | undefined; error: string | undefined }) {
  if (!hint && !error) return null;
  return <p id={`${id}-note`} class={error ? "note bad" : "note"}>{error || hint}</p>;
}
