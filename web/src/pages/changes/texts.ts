import { texts } from "../../i18n";

export const say = texts({
  en: {
    title: "Changes", live: "Updated as it happens", when: "When", what: "What", level: "Level", resource: "Resource", number: "No.", none: "Nothing has changed yet.", show: "Show", all: "Everything",
    instances: "Single images too", Patient: "Patient", Study: "Study", Series: "Series", Instance: "Image",
    New: "New", Stable: "Complete", Deleted: "Deleted", Updated: "Changed", other: "Other",
  },
  fr: {
    title: "Changements", live: "Mis à jour en direct", when: "Quand", what: "Quoi", level: "Niveau", resource: "Ressource", number: "Nº", none: "Rien n’a encore changé.", show: "Afficher", all: "Tout",
    instances: "Aussi chaque image", Patient: "Patient", Study: "Étude", Series: "Série", Instance: "Image",
    New: "Nouveau", Stable: "Complet", Deleted: "Supprimé", Updated: "Modifié", other: "Autre",
  },
  de: {
    title: "Änderungen", live: "Wird laufend erneuert", when: "Wann", what: "Was", level: "Ebene", resource: "Ressource", number: "Nr.", none: "Es hat sich noch nichts geändert.", show: "Zeigen", all: "Alles",
    instances: "Auch einzelne Bilder", Patient: "Patient", Study: "Studie", Series: "Serie", Instance: "Bild",
    New: "Neu", Stable: "Vollständig", Deleted: "Gelöscht", Updated: "Geändert", other: "Anderes",
  },
  es: {
    title: "Cambios", live: "Se actualiza en directo", when: "Cuándo", what: "Qué", level: "Nivel", resource: "Recurso", number: "N.º", none: "Aún no ha cambiado nada.", show: "Mostrar", all: "Todo",
    instances: "También cada imagen", Patient: "Paciente", Study: "Estudio", Series: "Serie", Instance: "Imagen",
    New: "Nuevo", Stable: "Completo", Deleted: "Eliminado", Updated: "Cambiado", other: "Otro",
  },
});
