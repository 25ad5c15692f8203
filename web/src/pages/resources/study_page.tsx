// A study: its series as cards.

import { Fragment } from "preact";
import { getSeries } from "../../api/details";
import type { Resource } from "../../api/types";
import type { PageProperties } from "../registry";
import { Failure, Loading } from "../../components/states";
import { Thumbnail } from "../../components/thumbnail";
import { Value } from "../../components/value";
import { formatName, formatValue, tagsOf } from "../../dicom_text";
import { useLoaded } from "../../hooks";
import { formatDate } from "../../i18n";
import { resourceHref } from "../../router";
import { ResourcePage, type Shown } from "./resource_page";
import { say } from "./texts";

export default function StudyPage({ query }: PageProperties) {
  return (
    <ResourcePage level="Study" id={query.get("uuid") ?? ""} facts={studyFacts}>
      {({ resource }) => <SeriesCards key={resource.ID} study={resource} />}
    </ResourcePage>
  );
}

function studyFacts({ resource }: Shown) {
  const tags = tagsOf(resource);
  const born = tags.PatientBirthDate ? say("born", { date: formatDate(tags.PatientBirthDate) }) : "";
  const texts = [formatName(tags.PatientName ?? ""), tags.PatientID, born, `${formatValue("StudyDate", tags.StudyDate)} ${formatValue("StudyTime", tags.StudyTime)}`.trim(), formatValue("ModalitiesInStudy", tags.ModalitiesInStudy), tags.AccessionNumber];
  return <Facts texts={texts} />;
}

/** Texts with a dot between them; those that say nothing are left out. */
export function Facts({ texts }: { texts: (string | undefined)[] }) {
  const found = texts.filter(Boolean) as string[];
  return <>{found.map((text, index) => <Fragment key={index}>{index > 0 && " · "}<Value text={text} short /></Fragment>)}</>;
}

function SeriesCards({ study }: { study: Resource }) {
  const series = useLoaded((stop) => getSeries(study.ID, stop), [study.ID, study.Series?.length]);
  if (series.error) return <Failure error={series.error} retry={series.reload} />;
  if (!series.value) return <Loading />;
  return (
    <>
      <h2 class="count">{say("seriesCount", { count: series.value.length })}</h2>
      <ul class="cards">
        {series.value.map((each) => <li key={each.ID}><SeriesCard series={each} /></li>)}
      </ul>
    </>
  );
}

function SeriesCard({ series }: { series: Resource }) {
  const { Modality: modality = "", SeriesDescription: description, SeriesNumber: number = "", BodyPartExamined: bodyPart } = series.MainDicomTags;
  return (
    <a class="series-card" href={resourceHref("Series", series.ID)}>
      <Thumbnail level="Series" id={series.ID} />
      <span class="series-name"><Value text={description || bodyPart || say("Series")} short /></span>
      <span class="quiet"><span class="modality"><Value text={modality} short /></span> {number && <>#<Value text={number} short /> · </>}{say("imageCount", { count: series.Instances?.length ?? 0 })}</span>
    </a>
  );
}
