// A button that opens a list of things to do: arrows, Home and End, Enter, Escape.

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useState } from "preact/hooks";
import { usePressOutside, useUnique } from "../hooks";
import { Icon, type IconName } from "./icon";

export interface Item {
  id: string;
  label: string;
  icon?: IconName;
  danger?: boolean;
  disabled?: boolean;
  /** For items of which some are on: languages, columns. */
  checked?: boolean;
  /** A line above it. */
  separated?: boolean;
  /** A link instead of something to run. */
  href?: string;
  /** The link is a file to save, which is called so unless the server says otherwise. */
  download?: string;
  run?: () => void;
}

interface Properties {
  label: string;
  /** What the button shows; `label` is its name all the same. */
  children?: ComponentChildren;
  icon?: IconName;
  items: Item[];
  class?: string;
  align?: "start" | "end";
  /** Stay open when something is chosen: for what is switched on and off. */
  stays?: boolean;
}

export function Menu({ label, children, icon, items, class: style = "", align = "start", stays = false }: Properties) {
  const [isOpen, setOpen] = useState(false);
  const list = useUnique("menu");
  const root = usePressOutside<HTMLDivElement>(isOpen, () => setOpen(false));
  const entries = () => [...(root.current?.querySelectorAll<HTMLElement>("[role^=menuitem]:not([aria-disabled=true])") ?? [])];
  const button = () => root.current?.querySelector("button");

  useLayoutEffect(() => {
    if (!isOpen) return undefined;
    const stop = new AbortController();
    const place = () => keepInside(root.current?.querySelector<HTMLElement>("[role=menu]"));
    place();
    addEventListener("resize", place, { signal: stop.signal });
    entries()[0]?.focus();
    return () => stop.abort();
  }, [isOpen]);

  function close(): void {
    setOpen(false);
    button()?.focus();
  }

  function keyDown(event: KeyboardEvent): void {
    if (!isOpen) {
      if (event.key !== "ArrowDown" || event.target !== button()) return;
      setOpen(true);
    } else if (event.key === "Escape") close();
    else if (event.key === "Tab") {
      setOpen(false);
      return;
    } else {
      const all = entries();
      const at = all.indexOf(document.activeElement as HTMLElement);
      const next = { ArrowDown: at + 1, ArrowUp: at - 1 + all.length, Home: 0, End: all.length - 1 }[event.key];
      if (next === undefined) return;
      all[next % all.length]?.focus();
    }
    event.preventDefault();
    event.stopPropagation();
  }

  function choose(item: Item): void {
    if (!stays) close();
    item.run?.();
  }

  return (
    <div class="menu" ref={root} onKeyDown={keyDown}>
      <button type="button" class={style} aria-label={label} title={children ? undefined : label} aria-haspopup="menu"
        aria-expanded={isOpen} aria-controls={isOpen ? list : undefined} onClick={() => setOpen(!isOpen)}>
        {icon && <Icon name={icon} />}{children}
      </button>
      {isOpen && (
        <div id={list} class={`menu-list ${align}`} role="menu" aria-label={label}>
          {items.map((item) => <Entry key={item.id} item={item} choose={choose} />)}
        </div>
      )}
    </div>
  );
}

const MARGIN = 8; // pixels to the edge of the window

/** Moves a list sideways into the window, whatever its button stands beside. */
function keepInside(list: HTMLElement | null | undefined): void {
  if (!list) return;
  list.style.translate = "";
  const { left, right } = list.getBoundingClientRect();
  const by = left < MARGIN ? MARGIN - left : Math.min(0, document.documentElement.clientWidth - MARGIN - right);
  list.style.translate = `${by}px`;
}

function Entry({ item, choose }: { item: Item; choose: (item: Item) => void }) {
  const shared = {
    tabIndex: -1,
    class: `${item.danger ? "danger" : ""} ${item.separated ? "separated" : ""}`,
  };
  const inside = (
    <>
      <span class="menu-icon">{item.checked ? <Icon name="check" /> : item.icon && <Icon name={item.icon} />}</span>
      {item.label}
    </>
  );
  if (item.href !== undefined) return <a {...shared} role="menuitem" href={item.href} download={item.download} onClick={() => choose(item)}>{inside}</a>;
  const role = item.checked === undefined ? "menuitem" : "menuitemcheckbox";
  return (
    <button {...shared} type="button" role={role} aria-checked={item.checked} aria-disabled={item.disabled ?? false}
      onClick={() => { if (!item.disabled) choose(item); }}>
      {inside}
    </button>
  );
}
