import { texts } from "../../i18n";

export const say = texts({
  en: {
    delete: "Delete", counting: "Counting what would be deleted", deleting: "Deleting", deleted: "Deleted.", failed: "Not deleted", refused: "This cannot be deleted", close: "Close", forever: "This cannot be undone.",
    Patient: { one: "Delete this patient?", other: "Delete {count} patients?" }, Study: { one: "Delete this study?", other: "Delete {count} studies?" }, Series: { one: "Delete this series?", other: "Delete {count} series?" },
    Instance: { one: "Delete this instance?", other: "Delete {count} instances?" }, series: { one: "{count} series", other: "{count} series" }, images: { one: "{count} image", other: "{count} images" },
    kept: "Stays, since the patient is protected. Remove the protection on the patient’s page first:", more: { one: "and {count} more", other: "and {count} more" },
  },
  fr: {
    delete: "Supprimer", counting: "Décompte de ce qui serait supprimé", deleting: "Suppression", deleted: "Supprimé.", failed: "Non supprimé", refused: "Suppression impossible", close: "Fermer", forever: "Cette action est irréversible.",
    Patient: { one: "Supprimer ce patient ?", other: "Supprimer {count} patients ?" }, Study: { one: "Supprimer cette étude ?", other: "Supprimer {count} études ?" }, Series: { one: "Supprimer cette série ?", other: "Supprimer {count} séries ?" },
    Instance: { one: "Supprimer cette instance ?", other: "Supprimer {count} instances ?" }, series: { one: "{count} série", other: "{count} séries" }, images: { one: "{count} image", other: "{count} images" },
    kept: "Conservé, car le patient est protégé. Retirez d’abord la protection sur la page du patient :", more: { one: "et {count} autre", other: "et {count} autres" },
  },
  de: {
    delete: "Löschen", counting: "Es wird gezählt, was gelöscht würde", deleting: "Wird gelöscht", deleted: "Gelöscht.", failed: "Nicht gelöscht", refused: "Das lässt sich nicht löschen", close: "Schließen", forever: "Das lässt sich nicht rückgängig machen.",
    Patient: { one: "Diesen Patienten löschen?", other: "{count} Patienten löschen?" }, Study: { one: "Diese Studie löschen?", other: "{count} Studien löschen?" }, Series: { one: "Diese Serie löschen?", other: "{count} Serien löschen?" },
    Instance: { one: "Diese Instanz löschen?", other: "{count} Instanzen löschen?" }, series: { one: "{count} Serie", other: "{count} Serien" }, images: { one: "{count} Bild", other: "{count} Bilder" },
    kept: "Bleibt, weil der Patient geschützt ist. Heben Sie zuerst den Schutz auf der Seite des Patienten auf:", more: { one: "und {count} weitere", other: "und {count} weitere" },
  },
  es: {
    delete: "Eliminar", counting: "Contando lo que se eliminaría", deleting: "Eliminando", deleted: "Eliminado.", failed: "No eliminado", refused: "No se puede eliminar", close: "Cerrar", forever: "No se puede deshacer.",
    Patient: { one: "¿Eliminar este paciente?", other: "¿Eliminar {count} pacientes?" }, Study: { one: "¿Eliminar este estudio?", other: "¿Eliminar {count} estudios?" }, Series: { one: "¿Eliminar esta serie?", other: "¿Eliminar {count} series?" },
    Instance: { one: "¿Eliminar esta instancia?", other: "¿Eliminar {count} instancias?" }, series: { one: "{count} serie", other: "{count} series" }, images: { one: "{count} imagen", other: "{count} imágenes" },
    kept: "Se conserva porque el paciente está protegido. Quite primero la protección en la página del paciente:", more: { one: "y {count} más", other: "y {count} más" },
  },
});
