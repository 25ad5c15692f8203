import { texts } from "../../i18n";

export const say = texts({
  en: {
    studies: "Studies", Patient: "Patient", Study: "Study", Series: "Series", Instance: "Instance", path: "Where this is",
    gone: "There is no such resource, or it has been deleted.", toStudies: "To the studies",
    seriesCount: { one: "{count} series", other: "{count} series" }, studyCount: { one: "{count} study", other: "{count} studies" }, imageCount: { one: "{count} image", other: "{count} images" }, frameCount: { one: "{count} frame", other: "{count} frames" },
    details: "Details", tags: "Tags", metadata: "Metadata", attachments: "Attachments", labels: "Labels", addLabel: "Add a label", removeLabel: "Remove the label {label}", add: "Add", noLabels: "No labels",
    searchTags: "Search tags", noTags: "No tag matches.", tag: "Tag", name: "Name", value: "Value", size: "Size", items: { one: "{count} item", other: "{count} items" }, item: "Item {number}", showLong: "Show the long value", openItems: "Open", closeItems: "Close",
    lastUpdate: "Last update", nothing: "There is nothing.", download: "Download", image: "Image {number} of {total}", slices: "Slices", noPicture: "There is no picture of it.", openPdf: "Open the PDF", picture: "Picture", born: "born {date}", protected: "Protected from recycling", more: "More matches are not shown: search for more.",
    edit: "Edit", remove: "Remove", cancel: "Cancel", save: "Save", addMetadata: "Add metadata", editMetadata: "Edit metadata", removeMetadata: "Remove metadata", sureMetadata: "Remove {name}?", nameHint: "A name of the option UserMetadata, or a number from {first} to {last}", badName: "This name does not belong to users. Possible are: {names}; and numbers from {first} to {last}.", noNames: "none that is not set", isSet: "{name} is set already: edit it.",
  },
  fr: {
    studies: "Études", Patient: "Patient", Study: "Étude", Series: "Série", Instance: "Instance", path: "Emplacement",
    gone: "Cette ressource n’existe pas ou a été supprimée.", toStudies: "Vers les études",
    seriesCount: { one: "{count} série", other: "{count} séries" }, studyCount: { one: "{count} étude", other: "{count} études" }, imageCount: { one: "{count} image", other: "{count} images" }, frameCount: { one: "{count} trame", other: "{count} trames" },
    details: "Détails", tags: "Tags", metadata: "Métadonnées", attachments: "Pièces jointes", labels: "Étiquettes", addLabel: "Ajouter une étiquette", removeLabel: "Retirer l’étiquette {label}", add: "Ajouter", noLabels: "Aucune étiquette",
    searchTags: "Chercher des tags", noTags: "Aucun tag ne correspond.", tag: "Tag", name: "Nom", value: "Valeur", size: "Taille", items: { one: "{count} élément", other: "{count} éléments" }, item: "Élément {number}", showLong: "Afficher la longue valeur", openItems: "Ouvrir", closeItems: "Fermer",
    lastUpdate: "Dernière mise à jour", nothing: "Il n’y a rien.", download: "Télécharger", image: "Image {number} sur {total}", slices: "Coupes", noPicture: "Il n’y a pas d’image.", openPdf: "Ouvrir le PDF", picture: "Image", born: "né(e) le {date}", protected: "Protégé du recyclage", more: "D’autres résultats ne sont pas affichés : précisez la recherche.",
    edit: "Modifier", remove: "Retirer", cancel: "Annuler", save: "Enregistrer", addMetadata: "Ajouter une métadonnée", editMetadata: "Modifier la métadonnée", removeMetadata: "Retirer la métadonnée", sureMetadata: "Retirer {name} ?", nameHint: "Un nom de l’option UserMetadata, ou un nombre de {first} à {last}", badName: "Ce nom n’appartient pas aux utilisateurs. Sont possibles : {names} ; et les nombres de {first} à {last}.", noNames: "aucun nom libre", isSet: "{name} existe déjà : modifiez-la.",
  },
  de: {
    studies: "Studien", Patient: "Patient", Study: "Studie", Series: "Serie", Instance: "Instanz", path: "Wo das ist",
    gone: "Das gibt es nicht, oder es wurde gelöscht.", toStudies: "Zu den Studien",
    seriesCount: { one: "{count} Serie", other: "{count} Serien" }, studyCount: { one: "{count} Studie", other: "{count} Studien" }, imageCount: { one: "{count} Bild", other: "{count} Bilder" }, frameCount: { one: "{count} Einzelbild", other: "{count} Einzelbilder" },
    details: "Einzelheiten", tags: "Tags", metadata: "Metadaten", attachments: "Anhänge", labels: "Etiketten", addLabel: "Etikett hinzufügen", removeLabel: "Etikett {label} entfernen", add: "Hinzufügen", noLabels: "Keine Etiketten",
    searchTags: "Tags suchen", noTags: "Kein Tag passt.", tag: "Tag", name: "Name", value: "Wert", size: "Größe", items: { one: "{count} Eintrag", other: "{count} Einträge" }, item: "Eintrag {number}", showLong: "Langen Wert anzeigen", openItems: "Öffnen", closeItems: "Schließen",
    lastUpdate: "Letzte Änderung", nothing: "Hier ist nichts.", download: "Herunterladen", image: "Bild {number} von {total}", slices: "Schichten", noPicture: "Davon gibt es kein Bild.", openPdf: "PDF öffnen", picture: "Bild", born: "geboren {date}", protected: "Vor dem Überschreiben geschützt", more: "Weitere Treffer sind nicht zu sehen: suchen Sie genauer.",
    edit: "Bearbeiten", remove: "Entfernen", cancel: "Abbrechen", save: "Speichern", addMetadata: "Metadaten hinzufügen", editMetadata: "Metadaten bearbeiten", removeMetadata: "Metadaten entfernen", sureMetadata: "{name} entfernen?", nameHint: "Ein Name der Option UserMetadata oder eine Zahl von {first} bis {last}", badName: "Dieser Name gehört nicht den Benutzern. Möglich sind: {names}; und Zahlen von {first} bis {last}.", noNames: "kein freier Name", isSet: "{name} gibt es schon: Bearbeiten Sie es.",
  },
  es: {
    studies: "Estudios", Patient: "Paciente", Study: "Estudio", Series: "Serie", Instance: "Instancia", path: "Dónde está",
    gone: "No existe o se ha eliminado.", toStudies: "A los estudios",
    seriesCount: { one: "{count} serie", other: "{count} series" }, studyCount: { one: "{count} estudio", other: "{count} estudios" }, imageCount: { one: "{count} imagen", other: "{count} imágenes" }, frameCount: { one: "{count} fotograma", other: "{count} fotogramas" },
    details: "Detalles", tags: "Etiquetas DICOM", metadata: "Metadatos", attachments: "Adjuntos", labels: "Etiquetas", addLabel: "Añadir una etiqueta", removeLabel: "Quitar la etiqueta {label}", add: "Añadir", noLabels: "Sin etiquetas",
    searchTags: "Buscar etiquetas DICOM", noTags: "Ninguna coincide.", tag: "Etiqueta", name: "Nombre", value: "Valor", size: "Tamaño", items: { one: "{count} elemento", other: "{count} elementos" }, item: "Elemento {number}", showLong: "Mostrar el valor largo", openItems: "Abrir", closeItems: "Cerrar",
    lastUpdate: "Última actualización", nothing: "No hay nada.", download: "Descargar", image: "Imagen {number} de {total}", slices: "Cortes", noPicture: "No hay imagen.", openPdf: "Abrir el PDF", picture: "Imagen", born: "nacido/a el {date}", protected: "Protegido del reciclaje", more: "Hay más resultados: precise la búsqueda.",
    edit: "Editar", remove: "Quitar", cancel: "Cancelar", save: "Guardar", addMetadata: "Añadir metadatos", editMetadata: "Editar metadatos", removeMetadata: "Quitar metadatos", sureMetadata: "¿Quitar {name}?", nameHint: "Un nombre de la opción UserMetadata o un número de {first} a {last}", badName: "Este nombre no pertenece a los usuarios. Son posibles: {names}; y números de {first} a {last}.", noNames: "ningún nombre libre", isSet: "{name} ya existe: edítelo.",
  },
});
