import { useState } from "preact/hooks";
import { address } from "../api/client";
import { pathOf } from "../api/resources";
import type { Level } from "../api/types";
import { Icon } from "./icon";

/** The slice in the middle, which the browser keeps; loaded when it comes into view. What it shows is said beside it. */
export function Thumbnail({ level, id }: { level: Level; id: string }) {
  const [hasFailed, setFailed] = useState(false);
  return (
    <span class="thumbnail">
      {hasFailed ? <Icon name="eye" size={24} /> : <img src={address(`${pathOf(level, id)}/thumbnail`)} alt="" loading="lazy" onError={() => setFailed(true)} />}
    </span>
  );
}
