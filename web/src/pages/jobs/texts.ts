import { texts } from "../../i18n";

export const say = texts({
  en: {
    title: "Jobs", none: "There are no jobs. What takes longer appears here: archives, anonymization, transfers.", type: "Job", state: "State", progress: "Progress", created: "Begun",
    runtime: "Time", priority: "Priority", details: "Details", cancel: "Cancel", pause: "Pause", resume: "Resume", resubmit: "Run again", forget: "Remove from the list", download: "Download",
    Pending: "Waiting", Running: "Running", Paused: "Paused", Success: "Done", Failure: "Failed", Retry: "Will be repeated", cancelled: "Cancelled", actions: "Actions",
    seconds: "{count} s", live: "Updated as it happens", about: "Content", error: "Error", user: "Note", arrival: "Expected", completed: "Ended",
  },
  fr: {
    title: "Tâches", none: "Aucune tâche. Ce qui dure plus longtemps apparaît ici : archives, anonymisation, transferts.", type: "Tâche", state: "État", progress: "Avancement", created: "Début",
    runtime: "Durée", priority: "Priorité", details: "Détails", cancel: "Annuler", pause: "Suspendre", resume: "Reprendre", resubmit: "Relancer", forget: "Retirer de la liste", download: "Télécharger",
    Pending: "En attente", Running: "En cours", Paused: "Suspendue", Success: "Terminée", Failure: "Échouée", Retry: "Sera répétée", cancelled: "Annulée", actions: "Actions",
    seconds: "{count} s", live: "Mis à jour en direct", about: "Contenu", error: "Erreur", user: "Note", arrival: "Prévue", completed: "Fin",
  },
  de: {
    title: "Aufträge", none: "Es gibt keine Aufträge. Was länger dauert, erscheint hier: Archive, Anonymisierung, Übertragungen.", type: "Auftrag", state: "Zustand", progress: "Fortschritt", created: "Begonnen",
    runtime: "Dauer", priority: "Priorität", details: "Einzelheiten", cancel: "Abbrechen", pause: "Anhalten", resume: "Fortsetzen", resubmit: "Wiederholen", forget: "Aus der Liste entfernen", download: "Herunterladen",
    Pending: "Wartet", Running: "Läuft", Paused: "Angehalten", Success: "Fertig", Failure: "Gescheitert", Retry: "Wird wiederholt", cancelled: "Abgebrochen", actions: "Aktionen",
    seconds: "{count} s", live: "Wird laufend erneuert", about: "Inhalt", error: "Fehler", user: "Notiz", arrival: "Erwartet", completed: "Beendet",
  },
  es: {
    title: "Trabajos", none: "No hay trabajos. Lo que tarda más aparece aquí: archivos, anonimización, envíos.", type: "Trabajo", state: "Estado", progress: "Progreso", created: "Inicio",
    runtime: "Duración", priority: "Prioridad", details: "Detalles", cancel: "Cancelar", pause: "Pausar", resume: "Reanudar", resubmit: "Repetir", forget: "Quitar de la lista", download: "Descargar",
    Pending: "En espera", Running: "En curso", Paused: "En pausa", Success: "Terminado", Failure: "Fallido", Retry: "Se repetirá", cancelled: "Cancelado", actions: "Acciones",
    seconds: "{count} s", live: "Se actualiza en directo", about: "Contenido", error: "Error", user: "Nota", arrival: "Previsto", completed: "Fin",
  },
});

/** What the kinds of jobs are called; one that has no name here is shown as the server names it. */
const kinds = texts({
  en: {
    Archive: "Archive", Media: "Medium with DICOMDIR", ResourceModification: "Modify or anonymize", SplitStudy: "Split a study", MergeStudy: "Merge studies", DicomModalityStore: "Send by DICOM",
    DicomMoveScu: "Retrieve (C-MOVE)", DicomGetScu: "Retrieve (C-GET)", OrthancPeerStore: "Send to a peer", StorageCommitmentScp: "Storage commitment", DicomWebStowClient: "Send by DICOMweb", DicomWebWadoRetrieveClient: "Retrieve by DICOMweb",
  },
  fr: {
    Archive: "Archive", Media: "Support avec DICOMDIR", ResourceModification: "Modifier ou anonymiser", SplitStudy: "Scinder une étude", MergeStudy: "Fusionner des études", DicomModalityStore: "Envoi par DICOM",
    DicomMoveScu: "Récupération (C-MOVE)", DicomGetScu: "Récupération (C-GET)", OrthancPeerStore: "Envoi à un pair", StorageCommitmentScp: "Confirmation de stockage", DicomWebStowClient: "Envoi par DICOMweb", DicomWebWadoRetrieveClient: "Récupération par DICOMweb",
  },
  de: {
    Archive: "Archiv", Media: "Datenträger mit DICOMDIR", ResourceModification: "Ändern oder anonymisieren", SplitStudy: "Studie teilen", MergeStudy: "Studien zusammenführen", DicomModalityStore: "Senden über DICOM",
    DicomMoveScu: "Abrufen (C-MOVE)", DicomGetScu: "Abrufen (C-GET)", OrthancPeerStore: "An einen Peer senden", StorageCommitmentScp: "Speicherbestätigung", DicomWebStowClient: "Senden über DICOMweb", DicomWebWadoRetrieveClient: "Abrufen über DICOMweb",
  },
  es: {
    Archive: "Archivo", Media: "Soporte con DICOMDIR", ResourceModification: "Modificar o anonimizar", SplitStudy: "Dividir un estudio", MergeStudy: "Unir estudios", DicomModalityStore: "Envío por DICOM",
    DicomMoveScu: "Recuperación (C-MOVE)", DicomGetScu: "Recuperación (C-GET)", OrthancPeerStore: "Envío a un par", StorageCommitmentScp: "Confirmación de almacenamiento", DicomWebStowClient: "Envío por DICOMweb", DicomWebWadoRetrieveClient: "Recuperación por DICOMweb",
  },
});

const KNOWN = [
  "Archive", "Media", "ResourceModification", "SplitStudy", "MergeStudy", "DicomModalityStore", "DicomMoveScu", "DicomGetScu", "OrthancPeerStore", "StorageCommitmentScp",
  "DicomWebStowClient", "DicomWebWadoRetrieveClient",
] as const;

export function kindOf(type: string): string {
  const known = KNOWN.find((each) => each === type);
  return known === undefined ? type : kinds(known);
}
