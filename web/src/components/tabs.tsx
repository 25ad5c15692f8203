// Tabs, of which one is shown: arrows, Home and End go from one to the other.

import type { ComponentChildren } from "preact";
import { useUnique } from "../hooks";

export interface Tab {
  id: string;
  label: string;
  /** Made only when the tab is shown. */
  content: () => ComponentChildren;
}

interface Properties {
  label: string;
  tabs: Tab[];
  shown: string;
  onShow: (id: string) => void;
}

export function Tabs({ label, tabs, shown, onShow }: Properties) {
  const name = useUnique("tabs");
  const current = tabs.find((each) => each.id === shown) ?? tabs[0];

  function keyDown(event: KeyboardEvent): void {
    const at = tabs.findIndex((each) => each === current);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1 + tabs.length, Home: 0, End: tabs.length - 1 }[event.key];
    const tab = next === undefined ? undefined : tabs[next % tabs.length];
    if (!tab) return;
    event.preventDefault();
    onShow(tab.id);
    document.getElementById(`${name}-${tab.id}`)?.focus();
  }

  if (!current) return null;
  return (
    <div class="tabs">
      <div role="tablist" aria-label={label} onKeyDown={keyDown}>
        {tabs.map((tab) => (
          <button key={tab.id} type="button" id={`${name}-${tab.id}`} role="tab" aria-selected={tab === current} aria-controls={`${name}-panel`}
            tabIndex={tab === current ? 0 : -1} onClick={() => onShow(tab.id)}>
            {tab.label}
          </button>
        ))}
      </div>
      <div id={`${name}-panel`} role="tabpanel" aria-labelledby={`${name}-${current.id}`} tabIndex={0}>{current.content()}</div>
    </div>
  );
}
