// The actions that this user may do with what is selected.

import { may, mayModify } from "../api/session";
import { Icon } from "../components/icon";
import { Menu } from "../components/menu";
import { toastError } from "../components/toasts";
import { type Action, type Selection, actions } from "./registry";

interface Properties {
  selection: Selection;
  changed: () => void;
}

export function offered(selection: Selection): Action[] {
  return actions.filter(({ levels, permission, isOffered }) =>
    levels.includes(selection.level) && (permission === "modify" ? mayModify() : may(permission)) && (isOffered?.(selection) ?? true));
}

export function Actions({ selection, changed }: Properties) {
  return (
    <>
      {offered(selection).map((action) => {
        if (action.items) {
          return <Menu key={action.id} label={action.label()} icon={action.icon} align="end" items={action.items(selection)}>{action.label()}</Menu>;
        }
        const inside = <><Icon name={action.icon} /> {action.label()}</>;
        return action.href
          ? <a key={action.id} class="button" href={action.href(selection)}>{inside}</a>
          : (
            <button key={action.id} type="button" class={action.danger ? "danger" : ""}
              onClick={() => { action.run?.(selection, changed).catch(toastError); }}>
              {inside}
            </button>
          );
      })}
    </>
  );
}
