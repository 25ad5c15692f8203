// Deletes after it has been said what that is; what is protected stays.

import { ApiError, get, messageOf } from "../../api/client";
import { getAncestors } from "../../api/details";
import { deleteResource, getResource, pathOf } from "../../api/resources";
import type { Level, Resource } from "../../api/types";
import { activity } from "../../components/activities";
import { Dialog, confirmed, openDialog } from "../../components/dialog";
import { Icon } from "../../components/icon";
import { LineList } from "../../components/line_list";
import { toast } from "../../components/toasts";
import { Value } from "../../components/value";
import { nameOf } from "../names";
import { forEach } from "../parallel";
import type { Selection } from "../registry";
import { say } from "./texts";

const MOST_NAMED = 10;

interface Surveyed {
  resource: Resource;
  series: number;
  images: number;
  isProtected: boolean;
}

async function survey(level: Level, resource: Resource): Promise<Surveyed> {
  const counts = level === "Instance"
    ? { CountInstances: 1 }
    : await get<{ CountSeries?: number; CountInstances: number }>(`${pathOf(level, resource.ID)}/statistics`);
  const patient = level === "Patient" ? await getResource(level, resource.ID) : (await getAncestors(resource)).at(-1);
  return { resource, series: counts.CountSeries ?? (level === "Series" ? 1 : 0), images: counts.CountInstances, isProtected: patient?.IsProtected ?? false };
}

export async function remove({ level, resources }: Selection, changed: () => void): Promise<void> {
  const found = await activity(say("counting"), (progress, stop) => forEach(resources, (each) => survey(level, each), progress, stop));
  if (found === null) return;
  const kept = found.filter(({ isProtected }) => isProtected);
  const deleted = found.filter(({ isProtected }) => !isProtected);
  if (!deleted.length) {
    openDialog((close) => (
      <Dialog title={say("refused")} onClose={close}>
        <div class="content"><Kept kept={kept} /></div>
        <footer><button type="button" autofocus onClick={close}>{say("close")}</button></footer>
      </Dialog>
    ));
    return;
  }
  const yes = await confirmed({ title: say(level, { count: deleted.length }), text: <Summary deleted={deleted} kept={kept} />, yes: say("delete"), danger: true });
  if (yes) await run(level, deleted, changed);
}

async function run(level: Level, deleted: Surveyed[], changed: () => void): Promise<void> {
  const failed: string[] = [];
  const done = await activity(say("deleting"), (progress, stop) => forEach(deleted, async ({ resource }) => {
    try {
      await deleteResource(level, resource.ID);
    } catch (error) {
      // Somebody else was faster.
      if (!(error instanceof ApiError && error.status === 404)) failed.push(`${nameOf(resource)}: ${messageOf(error)}`);
    }
  }, progress, stop));
  changed();
  if (!failed.length) {
    if (done !== null) toast(say("deleted"));
    return;
  }
  openDialog((close) => (
    <Dialog title={say("failed")} onClose={close} wide>
      <div class="content"><LineList title={say("failed")} name="failed.txt" lines={failed} /></div>
    </Dialog>
  ));
}

function Summary({ deleted, kept }: { deleted: Surveyed[]; kept: Surveyed[] }) {
  const sum = (count: (one: Surveyed) => number) => deleted.reduce((all, each) => all + count(each), 0);
  return (
    <div class="deletion">
      <Names of={deleted} />
      <p><strong>{say("series", { count: sum(({ series }) => series) })} · {say("images", { count: sum(({ images }) => images) })}</strong></p>
      <p>{say("forever")}</p>
      {kept.length > 0 && <Kept kept={kept} />}
    </div>
  );
}

function Kept({ kept }: { kept: Surveyed[] }) {
  return (
    <div class="deletion-kept">
      <Icon name="lock" />
      <div><p>{say("kept")}</p><Names of={kept} /></div>
    </div>
  );
}

function Names({ of }: { of: Surveyed[] }) {
  return (
    <ul>
      {of.slice(0, MOST_NAMED).map(({ resource }) => <li key={resource.ID}><Value text={nameOf(resource)} short /></li>)}
      {of.length > MOST_NAMED && <li class="quiet">{say("more", { count: of.length - MOST_NAMED })}</li>}
    </ul>
  );
}
