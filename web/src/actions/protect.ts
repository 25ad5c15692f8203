// Patients that are kept when the server makes room for others.

import { put } from "../api/client";
import { pathOf } from "../api/resources";
import { toast } from "../components/toasts";
import { texts } from "../i18n";
import type { Action, Selection } from "./registry";

const say = texts({
  en: { protect: "Protect", unprotect: "Unprotect", protected: "The patient is protected: it is neither recycled nor deleted from here.", unprotected: "The patient is no longer protected." },
  fr: { protect: "Protéger", unprotect: "Ne plus protéger", protected: "Le patient est protégé : il n’est ni recyclé ni supprimé d’ici.", unprotected: "Le patient n’est plus protégé." },
  de: { protect: "Schützen", unprotect: "Schutz aufheben", protected: "Der Patient ist geschützt: er wird weder überschrieben noch von hier aus gelöscht.", unprotected: "Der Patient ist nicht mehr geschützt." },
  es: { protect: "Proteger", unprotect: "Desproteger", protected: "El paciente está protegido: no se recicla ni se elimina desde aquí.", unprotected: "El paciente ya no está protegido." },
});

function action(id: "protect" | "unprotect"): Action {
  const isOn = id === "protect";
  return {
    id,
    label: () => say(id),
    icon: "lock",
    levels: ["Patient"],
    permission: "modify",
    isOffered: ({ resources: [first, ...others] }: Selection) => others.length === 0 && first?.IsProtected === !isOn,
    run: async ({ resources }, changed) => {
      for (const { ID } of resources) await put(`${pathOf("Patient", ID)}/protected`, isOn ? "1" : "0");
      toast(say(isOn ? "protected" : "unprotected"));
      changed();
    },
  };
}

export const protect = action("protect");
export const unprotect = action("unprotect");
