// What the pages of a patient, study, series and instance share: where it is, what it is called, what can be done with
// it, and at the side what is known of it.

import type { ComponentChildren } from "preact";
import { Actions } from "../../actions/bar";
import { ApiError } from "../../api/client";
import { getAncestors } from "../../api/details";
import { getResource } from "../../api/resources";
import type { Level, Resource } from "../../api/types";
import { Empty, Failure, Loading } from "../../components/states";
import { Value } from "../../components/value";
import { formatName, titleOf } from "../../dicom_text";
import { useLoaded, useTitle } from "../../hooks";
import { FIRST_PAGE, go, href, resourceHref } from "../../router";
import { Aside } from "./aside";
import { say } from "./texts";

export interface Shown {
  resource: Resource;
  /** From the nearest parent upwards. */
  above: Resource[];
  reload: () => void;
}

interface Properties {
  level: Level;
  id: string;
  /** What stands beside the name. */
  facts?: (shown: Shown) => ComponentChildren;
  children: (shown: Shown) => ComponentChildren;
}

const REQUESTED: Record<Level, string[]> = { Patient: [], Study: ["ModalitiesInStudy"], Series: [], Instance: ["SOPClassUID"] };

async function load(level: Level, id: string, stop: AbortSignal) {
  const resource = await getResource(level, id, stop, REQUESTED[level]);
  return { resource, above: await getAncestors(resource, stop) };
}

export function ResourcePage({ level, id, facts, children }: Properties) {
  const found = useLoaded((stop) => load(level, id, stop), [level, id]);
  const resource = found.value?.resource.ID === id ? found.value.resource : undefined;
  useTitle(resource ? headingOf(resource).slice(0, 200) : say(level));
  if (found.error && !found.loading) {
    if (found.error instanceof ApiError && found.error.status === 404) return <Gone />;
    return <Failure error={found.error} retry={found.reload} />;
  }
  if (!resource || !found.value) return <Loading />;
  const shown = { resource, above: found.value.above, reload: found.reload };

  /** After an action: anew, or what is left above it: the last series takes its study with it. */
  async function changed(): Promise<void> {
    for (const each of [shown.resource, ...shown.above]) {
      if (await isGone(each)) continue;
      if (each === shown.resource) found.reload();
      else go(resourceHref(each.Type, each.ID));
      return;
    }
    go(href(FIRST_PAGE));
  }

  return (
    <div class={`resource ${level.toLowerCase()}`}>
      <Where shown={shown} />
      <div class="resource-head">
        <div>
          <h1><Value text={headingOf(resource)} short /></h1>
          {facts && <p class="quiet resource-facts">{facts(shown)}</p>}
        </div>
        <span class="push" />
        <div class="row"><Actions selection={{ level, resources: [resource] }} changed={() => { void changed(); }} /></div>
      </div>
      <div class="resource-columns">
        <div class="resource-main">{children(shown)}</div>
        <Aside key={id} shown={shown} />
      </div>
    </div>
  );
}

function isGone({ Type, ID }: Resource): Promise<boolean> {
  return getResource(Type, ID).then(() => false, (error) => error instanceof ApiError && error.status === 404);
}

export function headingOf(resource: Resource): string {
  const title = titleOf(resource);
  // Instances have numbers rather than names.
  return resource.Type === "Instance" ? `${say("Instance")} ${title}`.trim() : title || say(resource.Type);
}

function Where({ shown: { resource, above } }: { shown: Shown }) {
  return (
    <nav class="where quiet" aria-label={say("path")}>
      <a href={href(FIRST_PAGE)}>{say("studies")}</a>
      {[...above].reverse().map((each) => (
        <span key={each.ID}>
          {" › "}
          <a href={resourceHref(each.Type, each.ID)}>{each.Type === "Series" ? `${say("Series")} ` : ""}<Value short text={each.Type === "Patient" ? formatName(each.MainDicomTags.PatientName ?? "") || headingOf(each) : headingOf(each)} /></a>
        </span>
      ))}
      {" › "}<span aria-current="page">{say(resource.Type)}</span>
    </nav>
  );
}

function Gone() {
  return <Empty><h1>{say("gone")}</h1><a href={href(FIRST_PAGE)}>{say("toStudies")}</a></Empty>;
}
