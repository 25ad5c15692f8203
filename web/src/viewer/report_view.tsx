// A structured report as text. Source: DICOM PS3.3 C.17.3 (content items).

import { Value } from "../components/value";
import { formatName } from "../dicom_text";
import { formatDate, formatTime } from "../i18n";
import { itemOf, itemsOf, numbersOf, type Tags, textOf } from "./tags";
import { say } from "./texts";

const DEEPEST = 60; // levels; deeper ones are left out, so that a hostile report cannot exhaust the stack

export function ReportView({ tags }: { tags: Tags }) {
  const items = itemsOf(tags, "ContentSequence");
  return (
    <article class="viewer-report" tabIndex={0} aria-label={say("isReport")}>
      <h2><Value text={meaning(tags, "ConceptNameCodeSequence") || say("isReport")} /></h2>
      {items.length ? <Items items={items} depth={0} /> : <p class="quiet">{say("emptyReport")}</p>}
    </article>
  );
}

function Items({ items, depth }: { items: readonly Tags[]; depth: number }) {
  if (!items.length || depth > DEEPEST) return null;
  return <ul>{items.map((item, at) => <li key={at}><Item item={item} depth={depth} /></li>)}</ul>;
}

function Item({ item, depth }: { item: Tags; depth: number }) {
  const name = meaning(item, "ConceptNameCodeSequence");
  const text = contentOf(item);
  const isSection = textOf(item, "ValueType") === "CONTAINER";
  return (
    <>
      {name && (isSection ? <strong><Value text={name} /></strong> : <span class="quiet"><Value text={name} />: </span>)}
      {text && <Value text={text} />}
      <Items items={itemsOf(item, "ContentSequence")} depth={depth + 1} />
    </>
  );
}

function meaning(tags: Tags | undefined, sequence: string): string {
  const code = itemOf(tags, sequence);
  return textOf(code, "CodeMeaning") || textOf(code, "CodeValue");
}

/** The value of a content item as people read it. */
export function contentOf(item: Tags): string {
  const kind = textOf(item, "ValueType");
  switch (kind) {
    case "CONTAINER": return "";
    case "TEXT": return textOf(item, "TextValue");
    case "CODE": return meaning(item, "ConceptCodeSequence");
    case "PNAME": return formatName(textOf(item, "PersonName"));
    case "UIDREF": return textOf(item, "UID");
    case "DATE": return formatDate(textOf(item, "Date"));
    case "TIME": return formatTime(textOf(item, "Time"));
    case "DATETIME": return dateTime(textOf(item, "DateTime"));
    case "NUM": return measured(itemOf(item, "MeasuredValueSequence"));
    case "SCOORD": case "SCOORD3D": return `${say("coordinates")}: ${textOf(item, "GraphicType")} ${numbersOf(item, "GraphicData").join(", ")}`;
    default: {
      const reference = textOf(itemOf(item, "ReferencedSOPSequence"), "ReferencedSOPInstanceUID");
      return reference ? `${say("reference")}: ${reference}` : kind;
    }
  }
}

function measured(value: Tags | undefined): string {
  const unit = itemOf(value, "MeasurementUnitsCodeSequence");
  const name = textOf(unit, "CodeValue") === "1" ? "" : textOf(unit, "CodeMeaning") || textOf(unit, "CodeValue");
  return `${textOf(value, "NumericValue")} ${name}`.trim();
}

const dateTime = (text: string) => `${formatDate(text.slice(0, 8))} ${formatTime(text.slice(8, 14))}`.trim();
