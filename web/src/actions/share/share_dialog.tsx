// Links to a study: made, copied, and ended.

import { useRef, useState } from "preact/hooks";
import { ApiError, address, messageOf } from "../../api/client";
import { type Share, getShares, share, unshare } from "../../api/sharing";
import { Dialog, openDialog } from "../../components/dialog";
import { SelectField, TextField } from "../../components/fields";
import { Icon } from "../../components/icon";
import { Refusal } from "../../components/refusal";
import { Failure, Loading } from "../../components/states";
import { toast, toastError } from "../../components/toasts";
import { Value } from "../../components/value";
import { useLoaded } from "../../hooks";
import { formatMoment } from "../../i18n";
import { nameOf } from "../names";
import type { Selection } from "../registry";
import { say } from "./texts";

const DAY = 86_400; // seconds
const DAYS = [1, 7, 30];
const USUAL = "7";

/** Resolves when the dialog is there. */
export async function shareStudy({ resources: [study] }: Selection): Promise<void> {
  if (study) openDialog((close) => <ShareDialog study={study.ID} what={nameOf(study)} onClose={close} />);
}

function ShareDialog({ study, what, onClose }: { study: string; what: string; onClose: () => void }) {
  const known = useLoaded((stop) => getShares(study, stop), [study]);
  const [days, setDays] = useState(USUAL);
  const [link, setLink] = useState("");
  const [error, setError] = useState("");
  const isOff = known.error instanceof ApiError && known.error.status === 404;

  async function make(): Promise<void> {
    const made = await share(study, Number(days) * DAY);
    setLink(new URL(address(made.Url), location.href).href);
    known.reload();
  }

  function submitted(event: Event): void {
    event.preventDefault();
    setError("");
    make().catch((refused) => setError(messageOf(refused)));
  }

  return (
    <Dialog title={say("title")} onClose={onClose}>
      <form onSubmit={submitted}>
        <div class="content share">
          <p><Value text={what} short /></p>
          <p class="quiet">{say(isOff ? "off" : "about")}</p>
          {!isOff && <SelectField label={say("validity")} value={days} onValue={setDays} options={DAYS.map((count) => ({ value: String(count), label: say("days", { count }) }))} />}
          {link && <NewLink link={link} />}
          {!isOff && <Known shares={known.value} error={known.error} reload={known.reload} end={(id) => { unshare(study, id).then(known.reload, toastError); }} />}
        </div>
        <Refusal text={error} />
        <footer>
          <button type="button" onClick={onClose}>{say("close")}</button>
          <button type="submit" class="primary" disabled={isOff}>{say("make")}</button>
        </footer>
      </form>
    </Dialog>
  );
}

function NewLink({ link }: { link: string }) {
  const place = useRef<HTMLDivElement>(null);

  /** Browsers have no clipboard for pages that came by HTTP from elsewhere: there it is selected. */
  async function copy(): Promise<void> {
    place.current?.querySelector("input")?.select();
    if (!navigator.clipboard) return;
    await navigator.clipboard.writeText(link);
    toast(say("copied"));
  }

  return (
    <div class="share-new" ref={place}>
      <TextField label={say("link")} hint={say("once")} value={link} onValue={() => undefined} readOnly />
      <button type="button" onClick={() => { copy().catch(toastError); }}><Icon name="copy" /> {say("copy")}</button>
    </div>
  );
}

interface KnownProperties {
  shares: Share[] | undefined;
  error: unknown;
  reload: () => void;
  end: (id: string) => void;
}

function Known({ shares, error, reload, end }: KnownProperties) {
  if (error) return <Failure error={error} retry={reload} />;
  if (!shares) return <Loading />;
  if (!shares.length) return null;
  return (
    <section aria-label={say("known")}>
      <h3>{say("known")}</h3>
      <ul>
        {shares.map(({ ID: id, User: user, Expires: expires }) => {
          const text = say("until", { date: formatMoment(expires), user });
          return (
            <li key={id}>
              <span>{text}</span>
              <button type="button" class="plain" aria-label={`${say("end")}: ${text}`} onClick={() => end(id)}><Icon name="delete" /></button>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
