// A patient: the studies, the newest first.

import { getStudies, isProtected } from "../../api/details";
import type { Resource } from "../../api/types";
import type { PageProperties } from "../registry";
import { Icon } from "../../components/icon";
import { Failure, Loading } from "../../components/states";
import { Thumbnail } from "../../components/thumbnail";
import { Value } from "../../components/value";
import { formatValue, tagsOf } from "../../dicom_text";
import { useLoaded } from "../../hooks";
import { resourceHref } from "../../router";
import { ResourcePage, type Shown } from "./resource_page";
import { Facts } from "./study_page";
import { say } from "./texts";

export default function PatientPage({ query }: PageProperties) {
  return (
    <ResourcePage level="Patient" id={query.get("uuid") ?? ""} facts={(shown) => <PatientFacts shown={shown} />}>
      {({ resource }) => <Studies key={resource.ID} patient={resource} />}
    </ResourcePage>
  );
}

function PatientFacts({ shown: { resource } }: { shown: Shown }) {
  const { PatientID: id, PatientBirthDate: born, PatientSex: sex } = resource.MainDicomTags;
  const guarded = useLoaded((stop) => isProtected(resource.ID, stop), [resource]);
  return (
    <>
      <Facts texts={[id, born && say("born", { date: formatValue("PatientBirthDate", born) }), sex]} />
      {guarded.value && <span class="protected"><Icon name="lock" size={13} /> {say("protected")}</span>}
    </>
  );
}

function Studies({ patient }: { patient: Resource }) {
  const studies = useLoaded((stop) => getStudies(patient.ID, stop), [patient]);
  if (studies.error) return <Failure error={studies.error} retry={studies.reload} />;
  if (!studies.value) return <Loading />;
  return (
    <>
      <h2 class="count">{say("studyCount", { count: studies.value.length })}</h2>
      <ul class="cards">
        {studies.value.map((each) => <li key={each.ID}><StudyCard study={each} /></li>)}
      </ul>
    </>
  );
}

function StudyCard({ study }: { study: Resource }) {
  const tags = tagsOf(study);
  return (
    <a class="series-card" href={resourceHref("Study", study.ID)}>
      <Thumbnail level="Study" id={study.ID} />
      <span class="series-name"><Value text={tags.StudyDescription || say("Study")} short /></span>
      <span class="quiet"><Facts texts={[formatValue("StudyDate", tags.StudyDate), formatValue("ModalitiesInStudy", tags.ModalitiesInStudy), say("seriesCount", { count: study.Series?.length ?? 0 })]} /></span>
    </a>
  );
}
