// The jobs of the server as they go on; each can be stopped, held and run again.

import { useEffect, useState } from "preact/hooks";
import { address } from "../../api/client";
import { type Job, type JobAction, type JobEvent, changeJob, forgetJob, getJobs, isActive, watchJobs } from "../../api/jobs";
import { may } from "../../api/session";
import { Dialog, openDialog } from "../../components/dialog";
import { type Item, Menu } from "../../components/menu";
import { ProgressBar } from "../../components/progress_bar";
import { Empty, Failure, Loading } from "../../components/states";
import { type Column, Table } from "../../components/table";
import { toastError } from "../../components/toasts";
import { Value } from "../../components/value";
import { useLoaded, useTitle } from "../../hooks";
import { formatMoment } from "../../i18n";
import type { PageProperties } from "../registry";
import { kindOf, say } from "./texts";

const CANCELLED = 37; // error code of a job that somebody has cancelled

export default function JobsPage({ query }: PageProperties) {
  useTitle(say("title"));
  const found = useLoaded(getJobs, []);
  // `#jobs?job=ID` shows one of them.
  const wanted = query.get("job");
  useEffect(() => {
    const job = found.value?.find(({ ID }) => ID === wanted);
    if (job) show(job);
  }, [wanted, found.value !== undefined]);
  const news = useNews(found.value, found.reload);

  if (found.error && found.value === undefined) return <Failure error={found.error} retry={found.reload} />;
  if (found.value === undefined) return <Loading />;
  const jobs = found.value.map((job) => ({ ...job, ...news.get(job.ID) }));
  jobs.sort((a, b) => Number(isActive(b.State)) - Number(isActive(a.State)) || b.CreationTime.localeCompare(a.CreationTime));
  return (
    <div class="jobs">
      <header><h1>{say("title")}</h1><span class="quiet">{say("live")}</span></header>
      {jobs.length
        ? <Table label={say("title")} columns={columns()} rows={jobs} keyOf={(job) => job.ID} nameOf={(job) => kindOf(job.Type)} onOpen={show} />
        : <Empty>{say("none")}</Empty>}
    </div>
  );
}

/** What has changed since the list was asked for; a job that is not in it, or has ended, has it asked for again. */
function useNews(known: Job[] | undefined, reload: () => void): ReadonlyMap<string, JobEvent> {
  const [news, setNews] = useState<ReadonlyMap<string, JobEvent>>(new Map());
  const [unknown, setUnknown] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    watchJobs((id, event) => {
      if (event !== null) setNews((before) => new Map(before).set(id, event));
      if (event === null || !isActive(event.State)) setUnknown((before) => before + 1);
    }, stop.signal);
    return () => stop.abort();
  }, []);
  const isMissing = known !== undefined && [...news.keys()].some((id) => !known.some((job) => job.ID === id));
  useEffect(() => {
    if (unknown === 0 && !isMissing) return undefined;
    const timer = setTimeout(reload, 100);
    return () => clearTimeout(timer);
  }, [unknown, isMissing, news.size]);
  return news;
}

function columns(): Column<Job>[] {
  return [
    { id: "type", label: say("type"), cell: (job) => <Value text={kindOf(job.Type)} short /> },
    { id: "state", label: say("state"), cell: (job) => <StateOf job={job} /> },
    {
      id: "progress", label: say("progress"),
      cell: (job) => (isActive(job.State) ? <ProgressBar label={`${kindOf(job.Type)}: ${say("progress")}`} done={job.Progress} total={100} /> : ""),
    },
    { id: "created", label: say("created"), isWhole: true, cell: (job) => formatMoment(job.CreationTime) },
    { id: "runtime", label: say("runtime"), isNumber: true, cell: (job) => say("seconds", { count: Math.round(job.EffectiveRuntime * 10) / 10 }) },
    { id: "priority", label: say("priority"), isNumber: true, cell: (job) => job.Priority },
    { id: "details", label: say("details"), cell: (job) => <Value text={targetOf(job)} short /> },
    {
      id: "actions", label: say("actions"),
      cell: (job) => {
        const items = actionsOf(job);
        return items.length > 0 && <Menu label={`${say("actions")}: ${kindOf(job.Type)}`} icon="more" class="plain" align="end" items={items} />;
      },
    },
  ];
}

function StateOf({ job }: { job: Job }) {
  return <span class={`state-of ${job.State}`}>{job.ErrorCode === CANCELLED ? say("cancelled") : say(job.State)}</span>;
}

/** Where something goes to, or what went wrong. */
function targetOf(job: Job): string {
  if (job.State === "Failure") return job.ErrorDetails || job.ErrorDescription;
  const { RemoteAet, Peer, Server, Description, ParentResources } = job.Content;
  const found = [RemoteAet, Peer, Server, Description].find((each) => typeof each === "string" && each);
  return typeof found === "string" ? found : Array.isArray(ParentResources) ? ParentResources.join(", ") : "";
}

function actionsOf(job: Job): Item[] {
  const run = (action: () => Promise<void>) => () => { action().catch(toastError); };
  const change = (action: JobAction) => run(() => changeJob(job.ID, action));
  const items: Item[] = [];
  if (job.State === "Success" && (job.Type === "Archive" || job.Type === "Media")) {
    items.push({ id: "download", label: say("download"), icon: "download", href: address(`jobs/${encodeURIComponent(job.ID)}/archive`) });
  }
  if (!may("modify")) return items;
  if (job.State === "Pending" || job.State === "Running") items.push({ id: "pause", label: say("pause"), icon: "pause", run: change("pause") });
  if (job.State === "Paused") items.push({ id: "resume", label: say("resume"), icon: "play", run: change("resume") });
  if (isActive(job.State)) items.push({ id: "cancel", label: say("cancel"), icon: "close", danger: true, run: change("cancel") });
  if (job.State === "Failure") items.push({ id: "resubmit", label: say("resubmit"), icon: "refresh", run: change("resubmit") });
  if (!isActive(job.State)) items.push({ id: "forget", label: say("forget"), icon: "delete", run: run(() => forgetJob(job.ID)) });
  return items;
}

function show(job: Job): void {
  openDialog((close) => (
    <Dialog title={kindOf(job.Type)} onClose={close} wide>
      <div class="content job">
        <dl>
          <Fact name="ID" value={job.ID} />
          <Fact name={say("state")} value={job.ErrorCode === CANCELLED ? say("cancelled") : say(job.State)} />
          <Fact name={say("created")} value={formatMoment(job.CreationTime)} />
          <Fact name={say("completed")} value={formatMoment(job.CompletionTime ?? "")} />
          <Fact name={say("arrival")} value={isActive(job.State) ? formatMoment(job.EstimatedTimeOfArrival ?? "") : ""} />
          <Fact name={say("error")} value={job.ErrorCode ? [job.ErrorDescription, job.ErrorDetails].filter(Boolean).join(": ") : ""} />
          <Fact name={say("user")} value={job.UserData === undefined ? "" : JSON.stringify(job.UserData)} />
        </dl>
        <pre tabIndex={0} aria-label={say("about")}>{JSON.stringify(job.Content, null, 2)}</pre>
      </div>
    </Dialog>
  ));
}

function Fact({ name, value }: { name: string; value: string }) {
  return value ? <><dt>{name}</dt><dd><Value text={value} /></dd></> : null;
}
