import { texts } from "../../i18n";

export const say = texts({
  en: {
    share: "Share", title: "Share the study", about: "Whoever has the link sees this study in the viewer, and nothing else, without logging in.", off: "Share links are switched off on this server (Sessions.ShareDays).",
    validity: "The link holds for", days: { one: "{count} day", other: "{count} days" }, make: "Make a link", link: "Link", once: "It is shown only now.", copy: "Copy", copied: "The link has been copied.",
    known: "Links that hold", until: "until {date}, by {user}", end: "End the link", close: "Close",
  },
  fr: {
    share: "Partager", title: "Partager l’étude", about: "Qui a le lien voit cette étude dans la visionneuse, et rien d’autre, sans se connecter.", off: "Les liens de partage sont désactivés sur ce serveur (Sessions.ShareDays).",
    validity: "Le lien est valable", days: { one: "{count} jour", other: "{count} jours" }, make: "Créer un lien", link: "Lien", once: "Il n’est affiché que maintenant.", copy: "Copier", copied: "Le lien a été copié.",
    known: "Liens valables", until: "jusqu’au {date}, par {user}", end: "Mettre fin au lien", close: "Fermer",
  },
  de: {
    share: "Teilen mit Link", title: "Studie mit Link teilen", about: "Wer den Link hat, sieht diese Studie im Viewer und sonst nichts, ohne sich anzumelden.", off: "Links zum Teilen sind auf diesem Server ausgeschaltet (Sessions.ShareDays).",
    validity: "Der Link gilt", days: { one: "{count} Tag", other: "{count} Tage" }, make: "Link erstellen", link: "Link", once: "Er ist nur jetzt zu sehen.", copy: "Kopieren", copied: "Der Link ist kopiert.",
    known: "Gültige Links", until: "bis {date}, von {user}", end: "Link beenden", close: "Schließen",
  },
  es: {
    share: "Compartir", title: "Compartir el estudio", about: "Quien tenga el enlace ve este estudio en el visor, y nada más, sin iniciar sesión.", off: "Los enlaces para compartir están desactivados en este servidor (Sessions.ShareDays).",
    validity: "El enlace vale", days: { one: "{count} día", other: "{count} días" }, make: "Crear un enlace", link: "Enlace", once: "Solo se muestra ahora.", copy: "Copiar", copied: "El enlace se ha copiado.",
    known: "Enlaces vigentes", until: "hasta el {date}, de {user}", end: "Anular el enlace", close: "Cerrar",
  },
});
