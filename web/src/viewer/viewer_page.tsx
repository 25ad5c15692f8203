// The viewer: the series of a study at the side, one of them in the middle.

import { useEffect, useState } from "preact/hooks";
import { get, part } from "../api/client";
import { getResource } from "../api/resources";
import type { Resource } from "../api/types";
import { Empty, Failure, Loading } from "../components/states";
import { formatName } from "../dicom_text";
import { useLoaded, useTitle } from "../hooks";
import type { PageProperties } from "../pages/registry";
import { go, href } from "../router";
import { SeriesPanel } from "./series_panel";
import { SeriesView } from "./series_view";
import { say } from "./texts";

export interface StudyContent {
  study: Resource;
  series: Resource[];
}

/** Modalities that explain pictures and are none: another series is shown first. */
const NOT_FIRST = new Set(["SR", "PR", "KO", "SEG", "RTSTRUCT", "RTPLAN", "RTRECORD", "REG", "DOC", "OT"]);

export default function ViewerPage({ query }: PageProperties) {
  const [wantedStudy, wantedSeries] = [query.get("study"), query.get("series")];
  const found = useLoaded((stop) => loadStudy(wantedStudy, wantedSeries, stop), [wantedStudy, wantedStudy ? "" : wantedSeries]);
  const [hasPanel, setPanel] = useState(true);
  const [isShown, setShown] = useState(false);
  const series = found.value?.series ?? [];
  const current = wantedSeries ?? firstShown(series)?.ID ?? null;
  useTitle(found.value ? `${formatName(found.value.study.PatientMainDicomTags?.PatientName ?? "") || say("title")} – ${say("title")}` : say("title"));
  useEffect(() => { setShown(false); }, [current]);

  const choose = (id: string) => go(href("viewer", { study: found.value?.study.ID ?? wantedStudy ?? undefined, series: id }), true);
  const other = (step: number) => {
    const next = series[series.findIndex(({ ID }) => ID === current) + step];
    if (next) choose(next.ID);
  };

  return (
    <div class="viewer">
      <h1 class="visually-hidden">{say("title")}</h1>
      {!wantedStudy && !wantedSeries ? <Empty>{say("noParameter")}</Empty>
        : found.error && !current ? <Failure error={found.error} retry={found.reload} />
        : !current ? (found.value ? <Empty>{say("noSeries")}</Empty> : <Loading />)
        : (
          <SeriesView key={current} id={current} study={found.value?.study} series={series.find(({ ID }) => ID === current)}
            otherSeries={other} togglePanel={() => setPanel(!hasPanel)} onShown={() => setShown(true)} />
        )}
      {hasPanel && current && <SeriesPanel content={found.value} current={current} isReady={isShown} />}
    </div>
  );
}

async function loadStudy(study: string | null, series: string | null, stop: AbortSignal): Promise<StudyContent> {
  const id = study ?? (await getResource("Series", series ?? "", stop)).ParentStudy ?? "";
  const [found, list] = await Promise.all([
    getResource("Study", id, stop),
    get<Resource[]>(`studies/${part(id)}/series`, { query: { expand: true }, signal: stop }),
  ]);
  return { study: found, series: list.sort(bySeriesNumber) };
}

function bySeriesNumber(one: Resource, other: Resource): number {
  const number = ({ MainDicomTags }: Resource) => Number(MainDicomTags.SeriesNumber || Infinity);
  const [first, second] = [number(one), number(other)];
  return first === second ? one.ID.localeCompare(other.ID) : first - second;
}

function firstShown(series: Resource[]): Resource | undefined {
  return series.find(({ MainDicomTags }) => !NOT_FIRST.has(MainDicomTags.Modality ?? "")) ?? series[0];
}
