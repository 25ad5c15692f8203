// A table of resources or of anything else. With `onOpen` or `selection` its rows are gone through by the arrows: Enter
// opens, Space selects, Shift with an arrow goes on selecting, Ctrl+A selects all of the page, Escape nothing.

import type { ComponentChildren } from "preact";
import { useRef, useState } from "preact/hooks";
import { Icon } from "./icon";
import { say } from "./texts";

export interface Column<T> {
  id: string;
  label: string;
  cell: (row: T) => ComponentChildren;
  /** Right, with digits of one width. */
  isNumber?: boolean;
  /** Never broken, as dates are not. */
  isWhole?: boolean;
  canSort?: boolean;
  /** Sorted downwards at first, as dates are. */
  isNewestFirst?: boolean;
}

export interface Sort {
  column: string;
  descending: boolean;
}

interface Properties<T> {
  label: string;
  columns: Column<T>[];
  rows: T[];
  keyOf: (row: T) => string;
  /** What a row is called when it is selected. */
  nameOf: (row: T) => string;
  sort?: Sort;
  onSort?: (sort: Sort) => void;
  onOpen?: (row: T) => void;
  selected?: ReadonlySet<string>;
  onSelect?: (selected: Set<string>) => void;
  /** While something newer is on its way. */
  busy?: boolean;
}

export function Table<T>(properties: Properties<T>) {
  const { label, columns, rows, keyOf, nameOf, onOpen, selected, onSelect, busy = false } = properties;
  const body = useRef<HTMLTableSectionElement>(null);
  const [current, setCurrent] = useState<string | null>(null);
  const anchor = useRef(0);
  const isGrid = onOpen !== undefined || onSelect !== undefined;
  const keys = rows.map(keyOf);
  const reachable = Math.max(0, current === null ? 0 : keys.indexOf(current));

  // Said in full, since tables that a style sheet lays out as blocks are none to a screen reader.
  const role = <R extends string>(name: R) => (isGrid ? name : undefined);
  const goTo = (index: number) => (body.current?.rows[index] as HTMLElement | undefined)?.focus();

  function toggle(index: number, range: boolean): void {
    const next = new Set(selected);
    const [from, to] = range ? [Math.min(anchor.current, index), Math.max(anchor.current, index)] : [index, index];
    const add = range || !next.has(keys[index] ?? "");
    for (const key of keys.slice(from, to + 1)) {
      if (add) next.add(key);
      else next.delete(key);
    }
    if (!range) anchor.current = index;
    onSelect?.(next);
  }

  function keyDown(event: KeyboardEvent, index: number): void {
    if (event.target !== event.currentTarget) return;
    const last = rows.length - 1;
    const to = {
      ArrowDown: Math.min(index + 1, last), ArrowUp: Math.max(index - 1, 0), Home: 0, End: last,
      PageDown: Math.min(index + 10, last), PageUp: Math.max(index - 10, 0),
    }[event.key];
    const row = rows[index];
    if (to !== undefined) {
      if (event.shiftKey && onSelect) {
        if (!selected?.has(keys[index] ?? "")) anchor.current = index;
        toggle(to, true);
      }
      goTo(to);
    } else if (event.key === "Enter" && row !== undefined) onOpen?.(row);
    else if (event.key === " " && onSelect) toggle(index, false);
    else if (event.key === "a" && (event.ctrlKey || event.metaKey) && onSelect) onSelect(new Set([...(selected ?? []), ...keys]));
    else if (event.key === "Escape" && selected?.size) onSelect?.(new Set());
    else return;
    event.preventDefault();
  }

  function press(event: MouseEvent, index: number): void {
    if ((event.target as Element).closest("a, button, input, label") || getSelection()?.toString()) return;
    const row = rows[index];
    if (row === undefined) return;
    if (onSelect && (event.ctrlKey || event.metaKey || event.shiftKey)) toggle(index, event.shiftKey);
    else onOpen?.(row);
  }

  return (
    <div class="table-frame" aria-busy={busy}>
      <table role={isGrid ? "grid" : undefined} aria-label={label} aria-multiselectable={onSelect ? true : undefined} aria-rowcount={isGrid ? rows.length + 1 : undefined}>
        <Head {...properties} keys={keys} role={role} />
        <tbody ref={body} role={role("rowgroup")}>
          {rows.map((row, index) => {
            const key = keys[index] ?? "";
            const isSelected = selected?.has(key) ?? false;
            const grid = isGrid
              ? {
                tabIndex: index === reachable ? 0 : -1, "aria-selected": onSelect ? isSelected : undefined,
                onKeyDown: (event: KeyboardEvent) => keyDown(event, index), onFocus: () => setCurrent(key),
                onClick: (event: MouseEvent) => press(event, index),
              }
              : {};
            return (
              <tr key={key} role={role("row")} class={isSelected ? "selected" : ""} {...grid}>
                {onSelect && (
                  <td role={role("gridcell")} class="check">
                    <label>
                      <input type="checkbox" tabIndex={-1} checked={isSelected} aria-label={`${say("select")}: ${nameOf(row).slice(0, 80)}`}
                        onClick={(event) => toggle(index, event.shiftKey)} />
                    </label>
                  </td>
                )}
                {columns.map((column) => <td key={column.id} role={role("gridcell")} class={`${styleOf(column)} column-${column.id}`}>{column.cell(row)}</td>)}
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

function styleOf<T>({ isNumber, isWhole }: Column<T>): string {
  return isNumber ? "number" : isWhole ? "whole" : "";
}

type HeadProperties<T> = Properties<T> & { keys: string[]; role: <R extends string>(name: R) => R | undefined };

function Head<T>({ columns, sort, onSort, selected, onSelect, keys, role }: HeadProperties<T>) {
  const all = keys.length > 0 && keys.every((key) => selected?.has(key));
  return (
    <thead role={role("rowgroup")}>
      <tr role={role("row")}>
        {onSelect && (
          <th scope="col" role={role("columnheader")} class="check">
            <label>
              <input type="checkbox" aria-label={say("selectAll")} checked={all} disabled={!keys.length}
                onChange={() => onSelect(all ? new Set() : new Set([...(selected ?? []), ...keys]))} />
            </label>
          </th>
        )}
        {columns.map((column) => {
          const isSorted = sort?.column === column.id;
          const order = isSorted ? (sort.descending ? "descending" : "ascending") : undefined;
          return (
            <th key={column.id} scope="col" role={role("columnheader")} class={`${styleOf(column)} column-${column.id}`} aria-sort={order}>
              {onSort && column.canSort
                ? (
                  <button type="button" class="sort" onClick={() => onSort({ column: column.id, descending: isSorted ? !sort.descending : column.isNewestFirst ?? false })}>
                    {column.label}{isSorted && <Icon name={sort.descending ? "down" : "up"} size={10} />}
                  </button>
                )
                : column.label}
            </th>
          );
        })}
      </tr>
    </thead>
  );
}
