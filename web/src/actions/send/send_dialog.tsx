// Chooses where to, and follows what is sent.

import { useState } from "preact/hooks";
import { type Destination, getDestinations, sendTo } from "../../api/destinations";
import { Dialog, openDialog } from "../../components/dialog";
import { Empty } from "../../components/states";
import { toastError } from "../../components/toasts";
import { Value } from "../../components/value";
import { remember, remembered } from "../../storage";
import { follow } from "../following";
import { nameOf } from "../names";
import type { Selection } from "../registry";
import { say } from "./texts";

const KINDS = ["modality", "peer", "web"] as const;
const LAST = "send.destination";

/** Resolves when the dialog is there. */
export async function send({ resources }: Selection): Promise<void> {
  const destinations = await getDestinations();
  openDialog((close) => (
    <SendDialog destinations={destinations} resources={resources} onClose={close} choose={(chosen) => {
      close();
      remember(LAST, keyOf(chosen));
      run(chosen, resources).catch(toastError);
    }} />
  ));
}

async function run(chosen: Destination, resources: Selection["resources"]): Promise<void> {
  const [first] = resources;
  const what = first && resources.length === 1 ? nameOf(first).slice(0, 60) : say("several", { count: resources.length });
  const { ID: job } = await sendTo(chosen, resources.map(({ ID }) => ID));
  const values = { what, to: chosen.name };
  await follow(job, { label: say("sending", values), done: () => ({ text: say("sent", values) }) });
}

const keyOf = ({ kind, name }: Destination) => `${kind}/${name}`;

interface Properties {
  destinations: Destination[];
  resources: Selection["resources"];
  onClose: () => void;
  choose: (chosen: Destination) => void;
}

function SendDialog({ destinations, resources, onClose, choose }: Properties) {
  const [chosen, setChosen] = useState(() => destinations.find((each) => keyOf(each) === remembered(LAST, "")) ?? destinations[0]);
  return (
    <Dialog title={say("title", { count: resources.length })} onClose={onClose}>
      <form class="send" onSubmit={(event) => { event.preventDefault(); if (chosen) choose(chosen); }}>
        <div class="content">
          {destinations.length === 0 && <Empty>{say("none")}</Empty>}
          {KINDS.map((kind) => {
            const some = destinations.filter((each) => each.kind === kind);
            return some.length > 0 && (
              <fieldset key={kind}>
                <legend>{say(kind)}</legend>
                {some.map((each) => (
                  <label key={each.name}>
                    <input type="radio" name="destination" autofocus={each === chosen} checked={each === chosen} onChange={() => setChosen(each)} />
                    <Value text={each.name} short />
                  </label>
                ))}
              </fieldset>
            );
          })}
        </div>
        <footer>
          <button type="button" onClick={onClose}>{say("cancel")}</button>
          <button type="submit" class="primary" disabled={!chosen}>{say("send")}</button>
        </footer>
      </form>
    </Dialog>
  );
}
