// Modifying and anonymizing, from the form to the result.

import type { Job } from "../../api/jobs";
import type { Verb } from "../../api/modification";
import { getSystem } from "../../api/resources";
import type { Level } from "../../api/types";
import { openDialog } from "../../components/dialog";
import { tagsOf, titleOf } from "../../dicom_text";
import { href, resourceHref } from "../../router";
import { follow } from "../following";
import type { Selection } from "../registry";
import { firstDraft } from "./draft";
import { ModifyDialog } from "./form";
import { say } from "./texts";

export async function modify(verb: Verb, { level, resources }: Selection, changed: () => void): Promise<void> {
  const [first] = resources;
  if (!first) return;
  const known = resources.length === 1 ? { ...tagsOf(first) } : {};
  const { OverwriteInstances: overwrite } = await getSystem();
  const job = await new Promise<string | null>((resolve) => {
    openDialog((close) => (
      <ModifyDialog verb={verb} level={level} ids={resources.map((each) => each.ID)} first={firstDraft(verb, level, known)}
        canOverwrite={overwrite !== "Never" && overwrite !== false} onClose={(made) => { close(); resolve(made); }} />
    ));
  });
  if (job === null) return;
  const what = resources.length === 1 ? titleOf(first) : say("several", { count: resources.length });
  const label = say(verb === "modify" ? "modifying" : "anonymizing", { what });
  if (await follow(job, { label, done: (ended) => result(verb, ended) })) changed();
}

interface Made {
  ID: string;
  Type: Level;
}

/** Of one resource the copy, of several the only new one of their level, else the list of jobs. */
function result(verb: Verb, { Content: content }: Job) {
  const all = (content.Type ? [content] : content.Resources ?? []) as Made[];
  const studies = all.length === 1 ? all : all.filter((each) => each.Type === "Study");
  const [first] = studies;
  const text = say(verb === "modify" ? "modified" : "anonymized", { count: Number(content.InstancesCount) });
  if (!first) return { text };
  return { text, link: studies.length === 1 ? { label: say("openResult"), href: resourceHref(first.Type, first.ID) } : { label: say("openStudies"), href: href("studies", { sort: "-LastUpdate" }) } };
}
