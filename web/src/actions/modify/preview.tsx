// What an order would do, tag by tag, as the server tells it.

import { useState } from "preact/hooks";
import type { Change, Explained } from "../../api/modification";
import { CheckField } from "../../components/fields";
import { type Column, Table } from "../../components/table";
import { Value } from "../../components/value";
import { formatNumber } from "../../i18n";
import { wordsOf } from "../../dicom_text";
import { reasonOf, say } from "./texts";

export function Preview({ explained }: { explained: Explained }) {
  const [isWhole, setWhole] = useState(false);
  const changed = explained.Changes.filter((each) => each.Action !== "Kept");
  const shown = isWhole ? explained.Changes : changed;
  return (
    <div class="preview">
      <p>{say("wouldChange", { count: changed.length, images: formatNumber(explained.InstancesCount) })}</p>
      {explained.IsAnonymization && explained.NotJudged.length > 0 && (
        <div class="not-judged">
          <p>{say("notJudged")}</p>
          <ul>
            {explained.NotJudged.map((each) => <li key={each.Reason}>{reasonOf(each.Reason, each.Details)} ({say("images", { count: each.Instances })})</li>)}
          </ul>
        </div>
      )}
      <CheckField label={say("showKept")} value={isWhole} onValue={setWhole} />
      <Table label={say("preview")} columns={columns()} rows={shown} keyOf={(row) => `${row.Path} ${row.Action}`} nameOf={(row) => row.Name} />
    </div>
  );
}

function columns(): Column<Change>[] {
  return [
    { id: "tag", label: say("tag"), cell: (row) => <><Value text={wordsOf(row.Name || row.Path)} short /> <span class="quiet mono path">{row.Path}</span></> },
    { id: "action", label: say("action"), cell: (row) => <span class={`treated ${row.Action}`}>{say(row.Action)}</span> },
    { id: "before", label: say("before"), cell: (row) => <Value text={row.OldValue ?? ""} short /> },
    { id: "after", label: say("after"), cell: (row) => <After change={row} /> },
    { id: "images", label: say("imagesColumn"), isNumber: true, cell: (row) => formatNumber(row.Instances) },
  ];
}

function After({ change: { Action: action, NewValue: value, OldValue: old } }: { change: Change }) {
  if (action === "Remapped") return value === null ? <span class="quiet">{say("newIdentifier")}</span> : <Value text={String(value)} short />;
  if (action === "Kept") return <Value text={old ?? ""} short />;
  return <Value text={value === null ? "" : typeof value === "string" ? value : JSON.stringify(value)} short />;
}
