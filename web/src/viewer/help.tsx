import { Dialog } from "../components/dialog";
import { KEY_HELP } from "./keys";
import { say } from "./texts";

/** All keys of the viewer. */
export function Help({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title={say("help")} onClose={onClose}>
      <div class="content viewer-help" tabIndex={0}>
        <p>{say("notForDiagnosisLong")}</p>
        <dl>
          {KEY_HELP.map(([keys, text]) => (
            <div key={text}>
              <dt>{keys.map((each) => <kbd key={each}>{each}</kbd>)}</dt>
              <dd>{say(text)}</dd>
            </div>
          ))}
        </dl>
        <p class="quiet">{say("mouse")}</p>
      </div>
    </Dialog>
  );
}
