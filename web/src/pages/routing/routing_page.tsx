// Routing: the queues of the destinations as they are, and the rules, which can be tried.

import { useEffect } from "preact/hooks";
import { ApiError } from "../../api/client";
import { type Destination, type QueueAction, type Rule, changeQueue, getRouting } from "../../api/routing";
import { openDialog } from "../../components/dialog";
import { type Item, Menu } from "../../components/menu";
import { Empty, Failure, Loading } from "../../components/states";
import { type Column, Table } from "../../components/table";
import { toastError } from "../../components/toasts";
import { Value } from "../../components/value";
import { useLoaded, useTitle } from "../../hooks";
import { formatMoment, formatNumber } from "../../i18n";
import { resourceHref } from "../../router";
import { eventOf, say } from "./texts";
import { Trial } from "./trial";

const EVERY = 3000; // milliseconds between two looks at the queues

type Named<T> = T & { name: string };
const named = <T,>(all: Record<string, T>): Named<T>[] => Object.entries(all).map(([name, each]) => ({ ...each, name }));

export default function RoutingPage() {
  useTitle(say("title"));
  const found = useLoaded(getRouting, []);
  useEffect(() => {
    const timer = setInterval(() => { if (!document.hidden) found.reload(); }, EVERY);
    return () => clearInterval(timer);
  }, [found.reload]);

  if (found.error instanceof ApiError && found.error.status === 404) return <Empty><h1>{say("title")}</h1>{say("off")}</Empty>;
  if (found.error) return <Failure error={found.error} retry={found.reload} />;
  if (!found.value) return <Loading />;
  const destinations = named(found.value.Destinations);
  const rules = named(found.value.Rules);
  const change = (name: string, action: QueueAction) => { changeQueue(name, action).then(found.reload, toastError); };
  return (
    <div class="routing">
      <h1>{say("title")}</h1>
      <h2>{say("destinations")}</h2>
      {destinations.length
        ? <Table label={say("destinations")} columns={queueColumns(change)} rows={destinations} keyOf={({ name }) => name} nameOf={({ name }) => name} />
        : <Empty>{say("noDestinations")}</Empty>}
      <h2>{say("rules")}</h2>
      {rules.length
        ? <Table label={say("rules")} columns={ruleColumns()} rows={rules} keyOf={({ name }) => name} nameOf={({ name }) => name} />
        : <Empty>{say("noRules")}</Empty>}
    </div>
  );
}

function queueColumns(change: (name: string, action: QueueAction) => void): Column<Named<Destination>>[] {
  return [
    { id: "name", label: say("name"), cell: (row) => <><Value text={row.name} short />{row.LastError && <p class="narrow-error"><LastError row={row} /></p>}</> },
    { id: "target", label: say("target"), cell: (row) => <><span class="quiet">{row.Type}</span> <Value text={row.Target} short /></> },
    { id: "state", label: say("state"), cell: (row) => <span class={`state-of ${row.State}`}>{say(row.State)}</span> },
    { id: "pending", label: say("pending"), isNumber: true, cell: (row) => formatNumber(row.Pending) },
    { id: "failed", label: say("failed"), isNumber: true, cell: (row) => <span class={row.Failed ? "bad" : ""}>{formatNumber(row.Failed)}</span> },
    { id: "sent", label: say("sent"), isNumber: true, cell: (row) => formatNumber(row.Sent) },
    { id: "oldest", label: say("oldest"), isWhole: true, cell: ({ Oldest: oldest }) => oldest && <a href={resourceHref(oldest.ResourceType, oldest.ID)}>{formatMoment(oldest.Date)}</a> },
    { id: "lastError", label: say("lastError"), cell: (row) => row.LastError && <LastError row={row} /> },
    {
      id: "actions", label: say("actions"),
      cell: (row) => <Menu label={`${say("actions")}: ${row.name}`} icon="more" class="plain" align="end" items={actionsOf(row, (action) => change(row.name, action))} />,
    },
  ];
}

function LastError({ row }: { row: Destination }) {
  return <><Value text={row.LastError ?? ""} short /> <span class="quiet">{formatMoment(row.LastErrorDate ?? "")}</span></>;
}

function actionsOf(row: Destination, change: (action: QueueAction) => void): Item[] {
  const isPaused = row.State === "Paused";
  return [
    isPaused
      ? { id: "resume", label: say("resume"), icon: "play", run: () => change("resume") }
      : { id: "pause", label: say("pause"), icon: "pause", run: () => change("pause") },
    { id: "retry", label: say("retry"), icon: "refresh", disabled: !row.Failed && row.State !== "Failing", run: () => change("retry") },
  ];
}

function ruleColumns(): Column<Named<Rule>>[] {
  return [
    { id: "name", label: say("name"), cell: (row) => <><Value text={row.name} short />{!row.Enabled && <span class="quiet"> ({say("disabled")})</span>}</> },
    { id: "event", label: say("event"), cell: (row) => eventOf(row.Event) },
    { id: "condition", label: say("condition"), cell: (row) => <Value text={conditionOf(row) || say("anything")} short /> },
    { id: "changes", label: say("changes"), cell: (row) => row.Changes.join(", ") },
    { id: "target", label: say("target"), cell: (row) => <Value text={row.Destinations.join(", ")} short /> },
    { id: "actions", label: say("actions"), cell: (row) => <button type="button" aria-label={`${say("try")}: ${row.name}`} onClick={() => openDialog((close) => <Trial rule={row.name} onClose={close} />)}>{say("try")}</button> },
  ];
}

function conditionOf({ Query: query, Labels: labels, Origin: origin }: Rule): string {
  return [...Object.entries({ ...query, ...origin }).map(([name, value]) => `${name} = ${value}`), ...labels].join("; ");
}
