import { texts } from "../../i18n";

export const say = texts({
  en: { labels: "Labels", title: { one: "Labels", other: "Labels of {count}" }, add: "Add a label to all", addShort: "Add", addAll: "Add {label} to all", remove: "Remove {label} from all", some: "on {count} of {total}", none: "No labels yet", close: "Close", adding: "Adding the label {label}", removing: "Removing the label {label}" },
  fr: { labels: "Étiquettes", title: { one: "Étiquettes", other: "Étiquettes de {count} éléments" }, add: "Ajouter une étiquette à tous", addShort: "Ajouter", addAll: "Ajouter {label} à tous", remove: "Retirer {label} de tous", some: "sur {count} de {total}", none: "Aucune étiquette", close: "Fermer", adding: "Ajout de l’étiquette {label}", removing: "Retrait de l’étiquette {label}" },
  de: { labels: "Etiketten", title: { one: "Etiketten", other: "Etiketten von {count}" }, add: "Allen ein Etikett hinzufügen", addShort: "Hinzufügen", addAll: "{label} allen hinzufügen", remove: "{label} von allen entfernen", some: "auf {count} von {total}", none: "Noch keine Etiketten", close: "Schließen", adding: "Etikett {label} wird hinzugefügt", removing: "Etikett {label} wird entfernt" },
  es: { labels: "Etiquetas", title: { one: "Etiquetas", other: "Etiquetas de {count} elementos" }, add: "Añadir una etiqueta a todos", addShort: "Añadir", addAll: "Añadir {label} a todos", remove: "Quitar {label} de todos", some: "en {count} de {total}", none: "Sin etiquetas", close: "Cerrar", adding: "Añadiendo la etiqueta {label}", removing: "Quitando la etiqueta {label}" },
});
