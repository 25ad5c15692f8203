// The tags of a file as a tree: sequences are opened, and a search looks into all of them.

import { useMemo, useRef, useState } from "preact/hooks";
import { type Elements, getTags } from "../../api/details";
import type { Element, Level } from "../../api/types";
import { Icon } from "../../components/icon";
import { Failure, Loading } from "../../components/states";
import { Value } from "../../components/value";
import { wordsOf } from "../../dicom_text";
import { useLoaded } from "../../hooks";
import { say } from "./texts";

const MOST = 1000; // rows that are shown

interface Row {
  /** Of tags and numbers of items, from the top. */
  path: string;
  depth: number;
  tag: string;
  name: string;
  /** Null for what has others below it. */
  value: string | null;
  isLong: boolean;
  count: number;
}

export function TagTree({ level, id }: { level: Level; id: string }) {
  // The names of long values that somebody wants to see.
  const [complete, setComplete] = useState<readonly string[]>([]);
  const tags = useLoaded((stop) => getTags(level, id, complete, stop), [level, id, complete]);
  const [opened, setOpened] = useState<ReadonlySet<string>>(new Set());
  const [wanted, setWanted] = useState("");
  const all = useMemo(() => (tags.value ? [...rowsOf(tags.value, "", 0)] : []), [tags.value]);
  const rows = useMemo(() => (wanted.trim() ? matching(all, wanted.trim().toLowerCase()) : all.filter((row) => isVisible(row, opened))), [all, wanted, opened]);
  if (tags.error) return <Failure error={tags.error} retry={tags.reload} />;
  if (!tags.value) return <Loading />;

  function toggle(path: string, open: boolean): void {
    const next = new Set(opened);
    if (open) next.add(path);
    else next.delete(path);
    setOpened(next);
  }

  return (
    <div class="tag-tree">
      <input type="search" class="tag-search" aria-label={say("searchTags")} placeholder={say("searchTags")} value={wanted} onInput={(event) => setWanted(event.currentTarget.value)} />
      {rows.length === 0 && <p class="quiet" role="status">{say("noTags")}</p>}
      <Rows rows={rows.slice(0, MOST)} isOpen={(row) => wanted.trim() !== "" || opened.has(row.path)} toggle={toggle}
        showLong={(row) => setComplete([...complete, row.name])} />
      {rows.length > MOST && <p class="quiet">{say("more")}</p>}
    </div>
  );
}

interface RowsProperties {
  rows: Row[];
  isOpen: (row: Row) => boolean;
  toggle: (path: string, open: boolean) => void;
  showLong: (row: Row) => void;
}

function Rows({ rows, isOpen, toggle, showLong }: RowsProperties) {
  const body = useRef<HTMLTableSectionElement>(null);
  const [current, setCurrent] = useState("");
  const reachable = Math.max(0, rows.findIndex((row) => row.path === current));

  function keyDown(event: KeyboardEvent, row: Row, index: number): void {
    if (event.target !== event.currentTarget) return;
    const to = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: rows.length - 1 }[event.key];
    if (to !== undefined) (body.current?.rows[to] as HTMLElement | undefined)?.focus();
    else if (row.value === null && event.key === "ArrowRight") toggle(row.path, true);
    else if (row.value === null && event.key === "ArrowLeft") toggle(row.path, false);
    else if (row.value === null && event.key === "Enter") toggle(row.path, !isOpen(row));
    else return;
    event.preventDefault();
  }

  return (
    <div class="table-frame">
      <table role="treegrid" aria-label={say("tags")} class="tags">
        <thead>
          <tr><th scope="col">{say("tag")}</th><th scope="col">{say("name")}</th><th scope="col">{say("value")}</th></tr>
        </thead>
        <tbody ref={body}>
          {rows.map((row, index) => (
            <tr key={row.path} aria-level={row.depth + 1} aria-expanded={row.value === null ? isOpen(row) : undefined} tabIndex={index === reachable ? 0 : -1}
              onFocus={() => setCurrent(row.path)} onKeyDown={(event) => keyDown(event, row, index)}>
              <td class="mono whole" style={{ paddingInlineStart: `${10 + row.depth * 14}px` }}>
                {row.value === null
                  ? (
                    <button type="button" class="plain twist" tabIndex={-1} aria-label={say(isOpen(row) ? "closeItems" : "openItems")} onClick={() => toggle(row.path, !isOpen(row))}>
                      <Icon name={isOpen(row) ? "down" : "right"} size={10} />
                    </button>
                  )
                  : <span class="twist" />}
                {row.tag}
              </td>
              <td>{wordsOf(row.name)}</td>
              <td class="tag-value">
                {row.value === null
                  ? <span class="quiet">{row.count > 0 && say("items", { count: row.count })}</span>
                  : row.isLong ? <button type="button" onClick={() => showLong(row)}>{say("showLong")}</button> : <Value text={row.value} />}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function* rowsOf(elements: Elements, above: string, depth: number): Generator<Row> {
  for (const [tag, element] of Object.entries(elements)) {
    const path = `${above}/${tag}`;
    if (!Array.isArray(element.Value)) {
      yield { path, depth, tag, name: element.Name, value: element.Value ?? "", isLong: element.Type === "TooLong", count: 0 };
      continue;
    }
    yield { path, depth, tag, name: element.Name, value: null, isLong: false, count: element.Value.length };
    yield* itemsOf(element.Value, path, depth + 1);
  }
}

function* itemsOf(items: Record<string, Element>[], above: string, depth: number): Generator<Row> {
  for (const [index, item] of items.entries()) {
    const path = `${above}/${index}`;
    yield { path, depth, tag: "", name: say("item", { number: index + 1 }), value: null, isLong: false, count: 0 };
    yield* rowsOf(item, path, depth + 1);
  }
}

/** Whether everything above a row is open. */
function isVisible(row: Row, opened: ReadonlySet<string>): boolean {
  for (let end = row.path.lastIndexOf("/"); end > 0; end = row.path.lastIndexOf("/", end - 1)) {
    if (!opened.has(row.path.slice(0, end))) return false;
  }
  return true;
}

/** The rows in which something is found, and those above them. */
function matching(rows: readonly Row[], wanted: string): Row[] {
  const shown = new Set<string>();
  for (const row of rows) {
    if (![row.tag, row.name, wordsOf(row.name), row.value ?? ""].some((text) => text.toLowerCase().includes(wanted))) continue;
    for (let end = row.path.length; end > 0; end = row.path.lastIndexOf("/", end - 1)) shown.add(row.path.slice(0, end));
  }
  return rows.filter((row) => shown.has(row.path));
}
