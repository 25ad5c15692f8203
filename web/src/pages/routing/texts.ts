import { texts } from "../../i18n";

export const say = texts({
  en: {
    title: "Routing", off: "No routing is configured on this server.", destinations: "Destinations", rules: "Rules", noDestinations: "No destination is configured.", noRules: "No rule is configured.", name: "Name", target: "To", state: "State", pending: "Waiting", failed: "Set aside", sent: "Sent", oldest: "Waiting since", lastError: "Last error", lastSuccess: "Last success", actions: "Actions",
    Idle: "Idle", Sending: "Sending", Failing: "Failing", Paused: "Paused", Closed: "Outside of its hours", pause: "Pause", resume: "Resume", retry: "Try again now", event: "When", condition: "Condition", changes: "Changes", disabled: "switched off", anything: "everything", NewInstance: "An image arrives", StableSeries: "A series is stable", CompletedSeries: "A series is complete", StableStudy: "A study is stable", StablePatient: "A patient is stable",
    try: "Try", tryTitle: "Try the rule {rule}", about: "Nothing is sent. Choose a study to see what the rule would do with it.", study: "Patient or description", results: "What would happen", matches: { one: "Yes: {count} image", other: "Yes: {count} images" }, no: "No", resource: "Resource", would: "Would be sent", why: "Where, or why not", latest: "Newest studies that match", incomplete: "Not all of it was tried.", noStudy: "No study matches.", search: "Search", close: "Close",
  },
  fr: {
    title: "Routage", off: "Aucun routage n’est configuré sur ce serveur.", destinations: "Destinations", rules: "Règles", noDestinations: "Aucune destination n’est configurée.", noRules: "Aucune règle n’est configurée.", name: "Nom", target: "Vers", state: "État", pending: "En attente", failed: "Mises de côté", sent: "Envoyées", oldest: "En attente depuis", lastError: "Dernière erreur", lastSuccess: "Dernier succès", actions: "Actions",
    Idle: "Au repos", Sending: "Envoi", Failing: "En échec", Paused: "Suspendue", Closed: "Hors de ses heures", pause: "Suspendre", resume: "Reprendre", retry: "Réessayer maintenant", event: "Quand", condition: "Condition", changes: "Modifications", disabled: "désactivée", anything: "tout", NewInstance: "Une image arrive", StableSeries: "Une série est stable", CompletedSeries: "Une série est complète", StableStudy: "Une étude est stable", StablePatient: "Un patient est stable",
    try: "Essayer", tryTitle: "Essayer la règle {rule}", about: "Rien n’est envoyé. Choisissez une étude pour voir ce que la règle en ferait.", study: "Patient ou description", results: "Ce qui se passerait", matches: { one: "Oui : {count} image", other: "Oui : {count} images" }, no: "Non", resource: "Ressource", would: "Serait envoyé", why: "Où, ou pourquoi pas", latest: "Dernières études correspondantes", incomplete: "Tout n’a pas été essayé.", noStudy: "Aucune étude ne correspond.", search: "Rechercher", close: "Fermer",
  },
  de: {
    title: "Weiterleitung", off: "Auf diesem Server ist keine Weiterleitung eingerichtet.", destinations: "Ziele", rules: "Regeln", noDestinations: "Kein Ziel ist eingerichtet.", noRules: "Keine Regel ist eingerichtet.", name: "Name", target: "An", state: "Zustand", pending: "Wartend", failed: "Beiseitegelegt", sent: "Gesendet", oldest: "Wartet seit", lastError: "Letzter Fehler", lastSuccess: "Letzter Erfolg", actions: "Aktionen",
    Idle: "Ruht", Sending: "Sendet", Failing: "Scheitert", Paused: "Angehalten", Closed: "Außerhalb der Zeiten", pause: "Anhalten", resume: "Fortsetzen", retry: "Jetzt noch einmal", event: "Wann", condition: "Bedingung", changes: "Änderungen", disabled: "ausgeschaltet", anything: "alles", NewInstance: "Ein Bild kommt an", StableSeries: "Eine Serie ist stabil", CompletedSeries: "Eine Serie ist vollständig", StableStudy: "Eine Studie ist stabil", StablePatient: "Ein Patient ist stabil",
    try: "Probieren", tryTitle: "Die Regel {rule} probieren", about: "Nichts wird gesendet. Wählen Sie eine Studie, um zu sehen, was die Regel mit ihr täte.", study: "Patient oder Beschreibung", results: "Was geschehen würde", matches: { one: "Ja: {count} Bild", other: "Ja: {count} Bilder" }, no: "Nein", resource: "Ressource", would: "Würde gesendet", why: "Wohin, oder warum nicht", latest: "Neueste passende Studien", incomplete: "Nicht alles wurde probiert.", noStudy: "Keine Studie passt.", search: "Suchen", close: "Schließen",
  },
  es: {
    title: "Enrutamiento", off: "No hay enrutamiento configurado en este servidor.", destinations: "Destinos", rules: "Reglas", noDestinations: "No hay destinos configurados.", noRules: "No hay reglas configuradas.", name: "Nombre", target: "A", state: "Estado", pending: "En espera", failed: "Apartadas", sent: "Enviadas", oldest: "En espera desde", lastError: "Último error", lastSuccess: "Último éxito", actions: "Acciones",
    Idle: "En reposo", Sending: "Enviando", Failing: "Fallando", Paused: "En pausa", Closed: "Fuera de su horario", pause: "Pausar", resume: "Reanudar", retry: "Reintentar ahora", event: "Cuándo", condition: "Condición", changes: "Cambios", disabled: "desactivada", anything: "todo", NewInstance: "Llega una imagen", StableSeries: "Una serie es estable", CompletedSeries: "Una serie está completa", StableStudy: "Un estudio es estable", StablePatient: "Un paciente es estable",
    try: "Probar", tryTitle: "Probar la regla {rule}", about: "No se envía nada. Elija un estudio para ver qué haría la regla con él.", study: "Paciente o descripción", results: "Qué ocurriría", matches: { one: "Sí: {count} imagen", other: "Sí: {count} imágenes" }, no: "No", resource: "Recurso", would: "Se enviaría", why: "Adónde, o por qué no", latest: "Estudios más recientes que coinciden", incomplete: "No se ha probado todo.", noStudy: "Ningún estudio coincide.", search: "Buscar", close: "Cerrar",
  },
});

const EVENTS = ["NewInstance", "StableSeries", "CompletedSeries", "StableStudy", "StablePatient"] as const;

export function eventOf(name: string): string {
  const known = EVENTS.find((each) => each === name);
  return known === undefined ? name : say(known);
}
