// Studies of other servers: searched there, and retrieved.

import { useState } from "preact/hooks";
import { type Answer, type Remote, findStudies, getRemotes } from "../../api/query";
import { find, lookUp } from "../../api/resources";
import { follow } from "../../actions/following";
import { confirmed, openDialog } from "../../components/dialog";
import { SelectField, TextField } from "../../components/fields";
import { Icon } from "../../components/icon";
import { Empty, Failure, Loading } from "../../components/states";
import { type Column, Table } from "../../components/table";
import { toastError } from "../../components/toasts";
import { Value } from "../../components/value";
import { formatValue } from "../../dicom_text";
import { useLoaded, useTitle } from "../../hooks";
import { resourceHref } from "../../router";
import { TEXT_FIELDS, type Wanted, isFiltered, read, search } from "../studies/search";
import { SeriesDialog } from "./series_dialog";
import { say } from "./texts";

const MODALITIES = ["CR", "CT", "DX", "MG", "MR", "NM", "OT", "PT", "RF", "SC", "SEG", "SR", "US", "XA"];
const SHOWN = 200;
const keyOf = ({ kind, name }: Remote) => `${kind}:${name}`;

export default function QueryPage() {
  useTitle(say("title"));
  const remotes = useLoaded(getRemotes, []);
  if (remotes.error) return <Failure error={remotes.error} retry={remotes.reload} />;
  if (!remotes.value) return <Loading />;
  return (
    <div class="query">
      <h1>{say("title")}</h1>
      {remotes.value.length ? <Query remotes={remotes.value} /> : <Empty>{say("none")}</Empty>}
    </div>
  );
}

interface Asked {
  remote: Remote;
  wanted: Wanted;
}

function Query({ remotes }: { remotes: Remote[] }) {
  const [asked, setAsked] = useState<Asked | null>(null);
  const found = useLoaded(async (stop) => (asked ? load(asked, stop) : null), [asked]);
  return (
    <>
      <Form remotes={remotes} ask={setAsked} />
      {!asked ? <Empty>{say("first")}</Empty>
        : found.loading ? <Loading />
        : found.error ? <Failure error={found.error} retry={found.reload} />
        : <Answers remote={asked.remote} answers={found.value?.answers ?? []} here={found.value?.here ?? new Map()} reload={found.reload} />}
    </>
  );
}

/** What the other server has, and which of it is here already. */
async function load({ remote, wanted }: Asked, stop: AbortSignal) {
  const answers = await findStudies(remote, search(wanted).Query, stop);
  const uids = answers.slice(0, SHOWN).flatMap(({ tags }) => tags.StudyInstanceUID ?? []);
  const stored = uids.length ? (await find({ Level: "Study", Query: { StudyInstanceUID: uids.join("\\") } }, {}, stop)).resources : [];
  return { answers, here: new Map(stored.map((each) => [each.MainDicomTags.StudyInstanceUID ?? "", each.ID])) };
}

function Form({ remotes, ask }: { remotes: Remote[]; ask: (asked: Asked) => void }) {
  const [wanted, setWanted] = useState<Wanted>(() => read(new URLSearchParams()));
  const [chosen, setChosen] = useState(remotes[0] ? keyOf(remotes[0]) : "");
  const change = (changed: Partial<Wanted>) => setWanted((before) => ({ ...before, ...changed }));

  async function submitted(event: Event): Promise<void> {
    event.preventDefault();
    const remote = remotes.find((each) => keyOf(each) === chosen);
    if (!remote) return;
    if (!isFiltered(wanted) && !await confirmed({ title: say("ask"), text: say("anything"), yes: say("yes") })) return;
    ask({ remote, wanted: { ...wanted } });
  }

  return (
    <form class="query-form card" role="search" aria-label={say("title")} onSubmit={(event) => { submitted(event).catch(toastError); }}>
      <SelectField label={say("remote")} value={chosen} onValue={setChosen}
        options={remotes.map((each) => ({ value: keyOf(each), label: each.kind === "web" ? `${each.name} (DICOMweb)` : each.name }))} />
      {TEXT_FIELDS.map((name) => (
        <TextField key={name} type="search" autocomplete="off" label={say(name)} value={wanted.texts[name]} onValue={(text) => change({ texts: { ...wanted.texts, [name]: text } })} />
      ))}
      <SelectField label={say("modality")} value={wanted.modalities[0] ?? ""} onValue={(value) => change({ modalities: value ? [value] : [] })}
        options={[{ value: "", label: say("any") }, ...MODALITIES.map((value) => ({ value, label: value }))]} />
      <TextField type="date" label={say("from")} value={wanted.from} max={wanted.to} onValue={(from) => change({ from })} />
      <TextField type="date" label={say("to")} value={wanted.to} min={wanted.from} onValue={(to) => change({ to })} />
      <button type="submit" class="primary"><Icon name="search" /> {say("search")}</button>
    </form>
  );
}

interface AnswersProperties {
  remote: Remote;
  answers: Answer[];
  /** Identifiers of the studies that are stored here, by their UID. */
  here: ReadonlyMap<string, string>;
  reload: () => void;
}

const COLUMNS = [
  "PatientName", "PatientID", "PatientBirthDate", "StudyDate", "ModalitiesInStudy", "StudyDescription", "AccessionNumber", "NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances",
] as const;

function Answers({ remote, answers, here, reload }: AnswersProperties) {
  const shown = answers.slice(0, SHOWN);
  if (!shown.length) return <Empty>{say("noMatch", { remote: remote.name })}</Empty>;
  const columns: Column<Answer>[] = COLUMNS.map((id) => ({
    id, label: say(id), isNumber: id.startsWith("Number"), isWhole: id.endsWith("Date"), cell: ({ tags }) => <Value text={formatValue(id, tags[id])} short />,
  }));
  columns.push({
    id: "here", label: say("here"),
    cell: ({ tags }) => {
      const id = here.get(tags.StudyInstanceUID ?? "");
      return id && <a href={resourceHref("Study", id)} aria-label={`${say("open")}: ${nameOf(tags)}`}>{say("isHere")}</a>;
    },
  }, {
    id: "actions", label: say("actions"),
    cell: (answer) => (
      <span class="row-actions">
        <button type="button" aria-label={`${say("series")}: ${nameOf(answer.tags)}`} onClick={() => showSeries(answer, reload)}>{say("series")}</button>
        <button type="button" aria-label={`${say("retrieve")}: ${nameOf(answer.tags)}`} onClick={() => { retrieve(answer, answer.tags).then(reload).catch(toastError); }}><Icon name="download" /> {say("retrieve")}</button>
      </span>
    ),
  });
  return (
    <>
      <p role="status">{say("found", { count: answers.length })}{answers.length > SHOWN && ` ${say("more", { count: SHOWN })}`}</p>
      <Table label={say("title")} columns={columns} rows={shown} keyOf={({ tags }) => tags.StudyInstanceUID ?? ""} nameOf={({ tags }) => nameOf(tags)} onOpen={(answer) => showSeries(answer, reload)} />
    </>
  );
}

const nameOf = (tags: Answer["tags"]) => [formatValue("PatientName", tags.PatientName), tags.StudyDescription || formatValue("StudyDate", tags.StudyDate)].filter(Boolean).join(", ");

function showSeries(study: Answer, done: () => void): void {
  openDialog((close) => (
    <SeriesDialog study={study} title={say("seriesOf", { what: nameOf(study.tags) })} onClose={close}
      retrieve={(series) => { retrieve(series, study.tags).then(done).catch(toastError); }} />
  ));
}

/** Fetches a study or a series of it, which is then here. */
async function retrieve(answer: Answer, { StudyInstanceUID: uid = "", ...tags }: Answer["tags"]): Promise<void> {
  const what = nameOf(tags);
  await follow(await answer.retrieve(), {
    label: say("retrieving", { what }),
    done: async () => {
      const study = (await lookUp(uid)).find((each) => each.Type === "Study");
      return { text: say("retrieved", { what }), link: study && { label: say("open"), href: resourceHref("Study", study.ID) } };
    },
  });
}
