// For whoever runs the server: what it holds, what it is doing, whom it knows, what it logs.

import { useEffect } from "preact/hooks";
import {
  type Modality, type Peer, type Sample, LOG_LEVELS, askPeer, echo, getFacts, getHistory, getLogLevel, getMetrics, getModalities, getPeers, getStatistics, setLogLevel,
} from "../../api/administration";
import { address } from "../../api/client";
import { session } from "../../api/session";
import { SelectField } from "../../components/fields";
import { Icon } from "../../components/icon";
import { Plot } from "../../components/plot";
import { Failure, Loading } from "../../components/states";
import { type Column, Table } from "../../components/table";
import { toast, toastError } from "../../components/toasts";
import { Value } from "../../components/value";
import { useLoaded, useTitle } from "../../hooks";
import { formatBytes, formatNumber } from "../../i18n";
import { say } from "./texts";

const RENEW = 5000; // milliseconds between two looks at the figures

export default function AdministrationPage() {
  useTitle(say("title"));
  return (
    <div class="administration">
      <h1>{say("title")}</h1>
      {session.value?.Authenticated && !session.value.Name && <p class="notice whole-row"><Icon name="warning" /> {say("insecure")}</p>}
      <Stored />
      <Server />
      <LogCard />
      <Throughput />
      <Servers />
    </div>
  );
}

/** Loads again and again while the page is looked at. */
function useRenewed<T>(load: (stop: AbortSignal) => Promise<T>) {
  const found = useLoaded(load, []);
  useEffect(() => {
    const timer = setInterval(() => { if (!document.hidden) found.reload(); }, RENEW);
    return () => clearInterval(timer);
  }, []);
  return found;
}

function Stored() {
  const { value, error, reload } = useRenewed(getStatistics);
  return (
    <section class="card">
      <h2>{say("stored")}</h2>
      {value === undefined ? (error ? <Failure error={error} retry={reload} /> : <Loading />) : (
        <dl>
          <Fact name={say("patients")} value={formatNumber(value.CountPatients)} />
          <Fact name={say("studies")} value={formatNumber(value.CountStudies)} />
          <Fact name={say("series")} value={formatNumber(value.CountSeries)} />
          <Fact name={say("instances")} value={formatNumber(value.CountInstances)} />
          <Fact name={say("size")} value={formatBytes(Number(value.TotalDiskSize))} />
        </dl>
      )}
    </section>
  );
}

function Server() {
  const { value, error, reload } = useLoaded(getFacts, []);
  const yesNo = (is: boolean) => say(is ? "yes" : "no");
  return (
    <section class="card">
      <h2>{say("server")}</h2>
      {value === undefined ? (error ? <Failure error={error} retry={reload} /> : <Loading />) : (
        <dl>
          <Fact name={say("name")} value={value.Name} />
          <Fact name={say("version")} value={value.Version} />
          <Fact name={say("aetTitle")} value={value.DicomAet} />
          <Fact name={say("dicomPort")} value={String(value.DicomPort)} />
          <Fact name={say("compression")} value={yesNo(value.StorageCompression)} />
          <Fact name={say("transcoding")} value={value.IngestTranscoding || say("none")} />
          <Fact name={say("overwrite")} value={typeof value.OverwriteInstances === "boolean" ? yesNo(value.OverwriteInstances) : value.OverwriteInstances} />
          <Fact name={say("maximum")} value={value.MaximumStorageSize ? formatBytes(value.MaximumStorageSize * 1e6) : say("none")} />
          <Fact name={say("readOnly")} value={yesNo(value.ReadOnly)} />
        </dl>
      )}
    </section>
  );
}

function LogCard() {
  const level = useLoaded(getLogLevel, []);
  const metrics = useRenewed(getMetrics);
  const figure = (name: string) => metrics.value?.get(name) ?? 0;

  function choose(wanted: string): void {
    setLogLevel(wanted).then(() => { toast(say("levelSet")); level.reload(); }, toastError);
  }

  return (
    <section class="card">
      <h2>{say("log")}</h2>
      <dl>
        <Fact name={say("warnings")} value={`${formatNumber(figure("orthanc_logged_warnings_count"))} ${say("sinceStart")}`} />
        <Fact name={say("errors")} value={`${formatNumber(figure("orthanc_logged_errors_count"))} ${say("sinceStart")}`} />
        <Fact name={say("up")} value={duration(figure("orthanc_up_time_s"))} />
      </dl>
      {level.value !== undefined && (
        <SelectField label={say("level")} value={level.value} options={LOG_LEVELS.map((each) => ({ value: each, label: say(each) }))} onValue={choose} />
      )}
      <p><a href={address("tools/metrics-prometheus")} target="_blank" rel="noreferrer">{say("metrics")}</a></p>
    </section>
  );
}

function duration(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return say("minutes", { count: minutes });
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? say("hours", { count: hours }) : say("days", { count: Math.floor(hours / 24) });
}

function Throughput() {
  const { value } = useRenewed(getHistory);
  const rate = (of: (sample: Sample) => number) => ratesOf(value ?? [], of);
  const perSecond = (count: number) => say("perSecond", { count: Math.round(count * 10) / 10 });
  const bytes = (count: number) => say("perSecond", { count: formatBytes(count) });
  return (
    <section class="card whole-row">
      <h2>{say("hour")}</h2>
      {value === undefined ? <Loading /> : value.length < 3 ? <p class="quiet">{say("young")}</p> : (
        <div class="plots">
          <Plot label={say("received")} points={rate((each) => each.Instances)} format={perSecond} />
          <Plot label={say("requests")} points={rate((each) => each.Requests)} format={perSecond} />
          <Plot label={say("written")} points={rate((each) => each.WrittenBytes)} format={bytes} />
          <Plot label={say("read")} points={rate((each) => each.ReadBytes)} format={bytes} />
        </div>
      )}
    </section>
  );
}

/** How fast a counter grew between each sample and the one before; what was deleted is not counted against it. */
export function ratesOf(samples: readonly Sample[], of: (sample: Sample) => number): [number, number][] {
  return samples.slice(1).map((sample, index) => {
    const before = samples[index] ?? sample;
    const seconds = Math.max(1, sample.Time - before.Time);
    return [sample.Time, Math.max(0, of(sample) - of(before)) / seconds];
  });
}

function Servers() {
  const modalities = useLoaded(getModalities, []);
  const peers = useLoaded(getPeers, []);
  const tested = (name: string, asked: Promise<unknown>) => { asked.then(() => toast(say("there", { name })), toastError); };
  const button = (name: string, ask: () => Promise<unknown>) => (
    <button type="button" aria-label={`${say("test")}: ${name}`} onClick={() => tested(name, ask())}>{say("test")}</button>
  );
  const ofModalities: Column<[string, Modality]>[] = [
    { id: "name", label: say("name"), cell: ([name]) => <Value text={name} short /> },
    { id: "aet", label: say("aet"), isWhole: true, cell: ([, each]) => <Value text={each.AET} /> },
    { id: "host", label: say("host"), isWhole: true, cell: ([, each]) => <Value text={each.Host} short /> },
    { id: "port", label: say("port"), isNumber: true, cell: ([, each]) => each.Port },
    { id: "test", label: say("connection"), cell: ([name]) => button(name, () => echo(name)) },
  ];
  const ofPeers: Column<[string, Peer]>[] = [
    { id: "name", label: say("name"), cell: ([name]) => <Value text={name} short /> },
    { id: "url", label: say("url"), cell: ([, each]) => <Value text={each.Url} short /> },
    { id: "test", label: say("connection"), cell: ([name]) => button(name, () => askPeer(name)) },
  ];
  return (
    <>
      <ServerTable title={say("modalities")} none={say("noModalities")} found={modalities} columns={ofModalities} />
      <ServerTable title={say("peers")} none={say("noPeers")} found={peers} columns={ofPeers} />
    </>
  );
}

interface ServerTableProperties<T> {
  title: string;
  none: string;
  found: { value: Record<string, T> | undefined; error: unknown; reload: () => void };
  columns: Column<[string, T]>[];
}

function ServerTable<T>({ title, none, found, columns }: ServerTableProperties<T>) {
  const rows = Object.entries(found.value ?? {});
  return (
    <section class="card servers">
      <h2>{title}</h2>
      {found.value === undefined
        ? (found.error ? <Failure error={found.error} retry={found.reload} /> : <Loading />)
        : rows.length ? <Table label={title} columns={columns} rows={rows} keyOf={([name]) => name} nameOf={([name]) => name} /> : <p class="quiet">{none}</p>}
    </section>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return <><dt>{name}</dt><dd><Value text={value} /></dd></>;
}
