// The studies of the server: searched as one types, in pages that the server sorts, by mouse and by keys.

import { useEffect, useRef, useState } from "preact/hooks";
import { Actions } from "../../actions/bar";
import { DropArea, UploadMenu } from "../../actions/upload/upload_area";
import { uploaded } from "../../actions/upload/uploaded";
import { watchChanges } from "../../api/changes";
import { count, find } from "../../api/resources";
import type { Resource } from "../../api/types";
import type { PageProperties } from "../registry";
import { Icon } from "../../components/icon";
import { Menu } from "../../components/menu";
import { Empty, Failure, Loading } from "../../components/states";
import { Table } from "../../components/table";
import { formatName } from "../../dicom_text";
import { useLoaded, useSettled, useTitle } from "../../hooks";
import { formatNumber } from "../../i18n";
import { go, href, resourceHref } from "../../router";
import { columnItems, columns, requestedTags } from "./columns";
import { Filters } from "./filters";
import { SIZES, type Wanted, isFiltered, page, read, search, write } from "./search";
import { say } from "./texts";

const TYPING = 180; // milliseconds without a key before the server is asked
// What makes another list (deletions are not in the log); it is asked for once in so many milliseconds.
const ARRIVALS = ["NewStudy", "StableStudy"];
const PATIENCE = 2000;

type Selected = ReadonlyMap<string, Resource>;

export default function StudiesPage({ query }: PageProperties) {
  useTitle(say("title"));
  const wanted = read(query);
  const [selected, setSelected] = useState<Selected>(new Map());
  const [changes, setChanges] = useState(0);
  const turn = changes + uploaded.value;
  useArrivals(() => setChanges((before) => before + 1));
  const form = useRef<HTMLFormElement>(null);
  const list = useRef<HTMLDivElement>(null);

  // Only what is typed waits; a click is answered at once.
  const texts = useSettled(JSON.stringify(wanted.texts), TYPING);
  const settled = { ...wanted, texts: JSON.parse(texts) };
  const asked = JSON.stringify([search(settled), page(settled, requestedTags())]);
  const found = useLoaded((stop) => {
    const [what, which] = JSON.parse(asked);
    return find(what, which, stop);
  }, [asked, turn]);
  const total = useTotal(asked, turn, found.value?.total ?? null, found.value !== undefined);

  function change(changed: Partial<Wanted>): void {
    go(href("studies", write({ ...wanted, page: 1, ...changed })), true);
  }

  function select(keys: Set<string>): void {
    const known = new Map([...selected, ...(found.value?.resources ?? []).map((each) => [each.ID, each] as const)]);
    setSelected(new Map([...keys].flatMap((key) => { const one = known.get(key); return one ? [[key, one] as const] : []; })));
  }

  const goToList = () => list.current?.querySelector<HTMLElement>("tbody tr[tabindex='0']")?.focus();
  useShortcut("/", () => form.current?.querySelector("input")?.select());

  const rows = found.value?.resources;
  return (
    <div class="studies">
      <h1 class="visually-hidden">{say("title")}</h1>
      <Filters wanted={wanted} change={change} form={form} leave={goToList} />
      {selected.size > 0
        ? <SelectionBar selected={selected} clear={() => setSelected(new Map())} changed={() => { setSelected(new Map()); setChanges((before) => before + 1); }} />
        : <Summary wanted={wanted} change={change} shown={rows?.length ?? 0} total={total} />}
      <div ref={list}>
        {found.error && !found.loading
          ? <Failure error={found.error} retry={found.reload} />
          : rows === undefined
            ? <Loading />
            : rows.length === 0
              ? <NothingFound filtered={isFiltered(wanted)} />
              : (
                <Table label={say("title")} columns={columns()} rows={rows} busy={found.loading} keyOf={(row) => row.ID}
                  nameOf={(row) => formatName(row.PatientMainDicomTags?.PatientName ?? "")} sort={wanted.sort} onSort={(sort) => change({ sort })}
                  onOpen={(row) => go(resourceHref("Study", row.ID))} selected={new Set(selected.keys())} onSelect={select} />
              )}
      </div>
      <DropArea />
    </div>
  );
}

/** Calls a while after studies have come, once for all that did meanwhile. */
function useArrivals(heard: () => void): void {
  useEffect(() => {
    const stop = new AbortController();
    let timer = 0;
    watchChanges(undefined, ARRIVALS, () => {
      timer ||= setTimeout(() => { timer = 0; heard(); }, PATIENCE);
    }, stop.signal);
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, []);
}

/** How many match: as the server said with the page, else counted, which is asked once for each search. */
function useTotal(asked: string, turn: number, said: number | null, isThere: boolean): number | null {
  const what = JSON.stringify(JSON.parse(asked)[0]);
  const counted = useLoaded(async (stop) => (isThere && said === null ? { what, number: await count(JSON.parse(what), stop) } : null), [what, turn, isThere, said === null]);
  return said ?? (counted.value?.what === what ? counted.value.number : null);
}

function NothingFound({ filtered }: { filtered: boolean }) {
  return filtered ? <Empty>{say("noMatch")}</Empty> : <Empty><p>{say("nothing")}</p><p>{say("firstSteps")}</p></Empty>;
}

interface SelectionProperties {
  selected: Selected;
  clear: () => void;
  changed: () => void;
}

function SelectionBar({ selected, clear, changed }: SelectionProperties) {
  return (
    <div class="over-list selection" role="toolbar" aria-label={say("selected", { count: selected.size })}>
      <strong role="status">{say("selected", { count: selected.size })}</strong>
      <button type="button" class="plain" onClick={clear}><Icon name="close" /> {say("unselect")}</button>
      <span class="push" />
      <Actions selection={{ level: "Study", resources: [...selected.values()] }} changed={changed} />
    </div>
  );
}

interface SummaryProperties {
  wanted: Wanted;
  change: (changed: Partial<Wanted>) => void;
  shown: number;
  total: number | null;
}

function Summary({ wanted, change, shown, total }: SummaryProperties) {
  const first = (wanted.page - 1) * wanted.size;
  const isLast = total === null ? shown < wanted.size : first + shown >= total;
  const range = say("range", { from: first + 1, to: first + shown, total: total === null ? say("counting") : formatNumber(total) });
  return (
    <div class="over-list">
      <span class="quiet" role="status">{shown > 0 && range}</span>
      <button type="button" class="plain" aria-label={say("previous")} disabled={wanted.page === 1} onClick={() => change({ page: wanted.page - 1 })}><Icon name="left" /></button>
      <button type="button" class="plain" aria-label={say("next")} disabled={isLast} onClick={() => change({ page: wanted.page + 1 })}><Icon name="right" /></button>
      <span class="push" />
      <UploadMenu />
      <Menu label={`${say("perPage")}: ${wanted.size}`} class="plain quiet" align="end"
        items={SIZES.map((size) => ({ id: String(size), label: formatNumber(size), checked: size === wanted.size, run: () => change({ size }) }))}>
        {say("perPage")}: {wanted.size}
      </Menu>
      <Menu label={say("columns")} icon="columns" class="plain quiet columns" align="end" stays items={columnItems()}>{say("columns")}</Menu>
    </div>
  );
}

/** A key that does something wherever the focus is, but where one writes. */
function useShortcut(key: string, run: () => void): void {
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (event.key !== key || event.ctrlKey || event.metaKey || event.altKey || target.closest("input:not([type=checkbox]), textarea, select, dialog")) return;
      event.preventDefault();
      run();
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  });
}
