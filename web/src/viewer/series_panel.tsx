// The series of the study, each with its middle picture.

import { useState } from "preact/hooks";
import { address, part } from "../api/client";
import type { Resource } from "../api/types";
import { Value } from "../components/value";
import { href } from "../router";
import { say } from "./texts";
import type { StudyContent } from "./viewer_page";

interface Properties {
  /** What is not there yet has its place already, so that nothing moves when it comes. */
  content: StudyContent | undefined;
  current: string;
  /** Whether what somebody waits for is there: small pictures come after it. */
  isReady: boolean;
}

export function SeriesPanel({ content, current, isReady }: Properties) {
  return (
    <nav class="viewer-panel" aria-label={say("series")}>
      <ul>
        {content?.series.map((each) => (
          <li key={each.ID}>
            <a href={href("viewer", { study: content.study.ID, series: each.ID })} aria-current={each.ID === current ? "true" : undefined}>
              <Scout series={each} isReady={isReady} />
              <span class="viewer-scout-text">
                <Value text={each.MainDicomTags.SeriesDescription || say("seriesNumber", { number: each.MainDicomTags.SeriesNumber ?? "" })} short />
                <span class="quiet"><Value text={each.MainDicomTags.Modality ?? ""} short /> · {say("slices", { count: each.Instances?.length ?? 0 })}</span>
              </span>
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}

/** The same picture as on the page of the study: the browser has it, as a rule. */
function Scout({ series, isReady }: { series: Resource; isReady: boolean }) {
  const [hasFailed, setFailed] = useState(false);
  return (
    <span class="viewer-scout" aria-hidden="true">
      {isReady && !hasFailed
        ? <img src={address(`series/${part(series.ID)}/thumbnail`)} alt="" loading="lazy" onError={() => setFailed(true)} />
        : <Value text={series.MainDicomTags.Modality ?? ""} short />}
    </span>
  );
}
