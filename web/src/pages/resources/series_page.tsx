// A series: the slice that is looked at, and all of them as a strip.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { getInstances } from "../../api/details";
import type { Resource } from "../../api/types";
import type { PageProperties } from "../registry";
import { Failure, Loading } from "../../components/states";
import { Thumbnail } from "../../components/thumbnail";
import { useLoaded } from "../../hooks";
import { resourceHref } from "../../router";
import { ResourcePage, type Shown } from "./resource_page";
import { Stack, picturesOf } from "./stack";
import { Facts } from "./study_page";
import { say } from "./texts";

export default function SeriesPage({ query }: PageProperties) {
  return (
    <ResourcePage level="Series" id={query.get("uuid") ?? ""} facts={facts}>
      {({ resource }) => <Slices key={resource.ID} series={resource} />}
    </ResourcePage>
  );
}

function facts({ resource: { MainDicomTags: tags, Instances: instances } }: Shown) {
  return <Facts texts={[tags.Modality, tags.SeriesNumber && `#${tags.SeriesNumber}`, tags.BodyPartExamined, tags.ProtocolName, say("imageCount", { count: instances?.length ?? 0 })]} />;
}

function Slices({ series }: { series: Resource }) {
  const found = useLoaded((stop) => getInstances(series.ID, stop), [series.ID, series.Instances?.length]);
  const instances = found.value;
  const pictures = useMemo(() => picturesOf(instances ?? []), [instances]);
  const [chosen, setChosen] = useState<number | null>(null);
  const strip = useRef<HTMLUListElement>(null);
  const shown = Math.min(chosen ?? Math.floor((pictures.length - 1) / 2), pictures.length - 1);
  const current = pictures[shown]?.instance;

  // The strip follows, itself only: the page stays where it is.
  useEffect(() => {
    const list = strip.current;
    const item = list?.querySelector("[aria-current]")?.closest("li");
    if (!list || !item) return;
    list.scrollTop = item.offsetTop - (list.clientHeight - item.offsetHeight) / 2;
    list.scrollLeft = item.offsetLeft - (list.clientWidth - item.offsetWidth) / 2;
  }, [current]);

  if (found.error) return <Failure error={found.error} retry={found.reload} />;
  if (!instances) return <Loading />;
  return (
    <div class="slices">
      <Stack pictures={pictures} shown={shown} onShow={setChosen} />
      <ul class="strip" ref={strip} aria-label={say("slices")} tabIndex={0}>
        {instances.map((each, index) => (
          <li key={each.ID}>
            <a href={resourceHref("Instance", each.ID)} aria-current={each.ID === current ? "true" : undefined} aria-label={`${say("Instance")} ${each.MainDicomTags.InstanceNumber ?? index + 1}`}
              onMouseEnter={() => setChosen(pictures.findIndex((picture) => picture.instance === each.ID))}>
              <Thumbnail level="Instance" id={each.ID} />
              <span class="slice-number">{each.MainDicomTags.InstanceNumber ?? index + 1}</span>
            </a>
          </li>
        ))}
      </ul>
    </div>
  );
}
