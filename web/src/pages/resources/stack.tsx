// Pictures that lie on one another, one of which is seen: by slider, wheel and keys.

import { useEffect, useRef, useState } from "preact/hooks";
import { address, part } from "../../api/client";
import type { Resource } from "../../api/types";
import { Icon } from "../../components/icon";
import { say } from "./texts";

export interface Picture {
  instance: string;
  frame: number;
}

/** Every frame of every instance. */
export function picturesOf(instances: readonly Resource[]): Picture[] {
  return instances.flatMap(({ ID, MainDicomTags }) => {
    const frames = Math.max(1, Math.trunc(Number(MainDicomTags.NumberOfFrames)) || 1);
    return Array.from({ length: frames }, (_, frame) => ({ instance: ID, frame }));
  });
}

interface Properties {
  pictures: readonly Picture[];
  shown: number;
  onShow: (index: number) => void;
}

export function Stack({ pictures, shown, onShow }: Properties) {
  const picture = pictures[shown];
  const [failed, setFailed] = useState("");
  const stage = useRef<HTMLDivElement>(null);
  const source = picture ? address(`instances/${part(picture.instance)}/frames/${picture.frame}/rendered`, { voi: "standard" }) : "";
  const label = say("image", { number: shown + 1, total: pictures.length });

  // Not by a property: the page must not scroll meanwhile, which only listeners that are not passive can forbid.
  useEffect(() => {
    const turned = (event: WheelEvent) => {
      if (pictures.length < 2 || event.ctrlKey) return;
      event.preventDefault();
      onShow(Math.min(pictures.length - 1, Math.max(0, shown + Math.sign(event.deltaY))));
    };
    const element = stage.current;
    element?.addEventListener("wheel", turned, { passive: false });
    return () => element?.removeEventListener("wheel", turned);
  });

  return (
    <figure class="stack">
      <div class={`stage ${failed === source ? "empty" : ""}`} ref={stage}>
        {failed === source ? <p><Icon name="eye" size={24} /> {say("noPicture")}</p> : <img src={source} alt={label} onError={() => setFailed(source)} />}
      </div>
      {pictures.length > 1 && (
        <figcaption>
          <input type="range" min={0} max={pictures.length - 1} value={shown} aria-label={say("picture")} aria-valuetext={label}
            onInput={(event) => onShow(Number(event.currentTarget.value))} />
          <output>{label}</output>
        </figcaption>
      )}
    </figure>
  );
}
