import { texts } from "../../i18n";

export const say = texts({
  en: {
    title: "Upload", upload: "Upload", files: "Files…", folder: "Folder…", drop: "Drop files, folders or ZIP archives to store them", reading: "Looking through the files",
    found: { one: "{count} file found", other: "{count} files found" }, nothing: { one: "There is nothing to upload: {count} hidden file was left out.", other: "There is nothing to upload: {count} hidden files were left out." },
    sending: "Sending", paused: "Paused", stopped: "Stopped", done: "The upload is complete.", progress: "{done} of {total} files · {bytes} of {all}",
    waiting: "It will be tried again by itself; nothing is lost.", stored: "New images", known: "Already here", refused: "Refused", skipped: "Hidden, left out", left: "Left", number: "{count}",
    studies: { one: "In {count} study", other: "In {count} studies" }, images: { one: "{count} image", other: "{count} images" }, refusedFiles: "Refused files", leftFiles: "Files that are left",
    goOn: "Continue", close: "Close", background: "In the background", noDicom: "There is no DICOM file in it", filtered: "A filter of the server does not want it", unreadable: "The file cannot be read any more",
  },
  fr: {
    title: "Envoi vers le serveur", upload: "Importer", files: "Fichiers…", folder: "Dossier…", drop: "Déposez des fichiers, dossiers ou archives ZIP pour les stocker", reading: "Lecture de la liste des fichiers",
    found: { one: "{count} fichier trouvé", other: "{count} fichiers trouvés" }, nothing: { one: "Rien à importer : {count} fichier caché a été ignoré.", other: "Rien à importer : {count} fichiers cachés ont été ignorés." },
    sending: "Envoi en cours", paused: "En pause", stopped: "Arrêté", done: "L’import est terminé.", progress: "{done} fichiers sur {total} · {bytes} sur {all}",
    waiting: "Une nouvelle tentative aura lieu d’elle-même ; rien n’est perdu.", stored: "Nouvelles images", known: "Déjà présentes", refused: "Refusés", skipped: "Cachés, ignorés", left: "Restants", number: "{count}",
    studies: { one: "Dans {count} étude", other: "Dans {count} études" }, images: { one: "{count} image", other: "{count} images" }, refusedFiles: "Fichiers refusés", leftFiles: "Fichiers restants",
    goOn: "Continuer", close: "Fermer", background: "En arrière-plan", noDicom: "Il ne contient aucun fichier DICOM", filtered: "Un filtre du serveur n’en veut pas", unreadable: "Le fichier n’est plus lisible",
  },
  de: {
    title: "Hochladen", upload: "Hochladen", files: "Dateien…", folder: "Ordner…", drop: "Dateien, Ordner oder ZIP-Archive hier ablegen, um sie zu speichern", reading: "Dateien werden durchgesehen",
    found: { one: "{count} Datei gefunden", other: "{count} Dateien gefunden" }, nothing: { one: "Es gibt nichts hochzuladen: {count} versteckte Datei wurde ausgelassen.", other: "Es gibt nichts hochzuladen: {count} versteckte Dateien wurden ausgelassen." },
    sending: "Wird gesendet", paused: "Pause", stopped: "Angehalten", done: "Das Hochladen ist abgeschlossen.", progress: "{done} von {total} Dateien · {bytes} von {all}",
    waiting: "Es wird von selbst wieder versucht; nichts geht verloren.", stored: "Neue Bilder", known: "Schon vorhanden", refused: "Abgelehnt", skipped: "Versteckt, ausgelassen", left: "Übrig", number: "{count}",
    studies: { one: "In {count} Studie", other: "In {count} Studien" }, images: { one: "{count} Bild", other: "{count} Bilder" }, refusedFiles: "Abgelehnte Dateien", leftFiles: "Übrige Dateien",
    goOn: "Fortsetzen", close: "Schließen", background: "Im Hintergrund", noDicom: "Darin ist keine DICOM-Datei", filtered: "Ein Filter des Servers will sie nicht", unreadable: "Die Datei ist nicht mehr lesbar",
  },
  es: {
    title: "Subida", upload: "Subir", files: "Archivos…", folder: "Carpeta…", drop: "Suelte archivos, carpetas o archivos ZIP para almacenarlos", reading: "Revisando los archivos",
    found: { one: "{count} archivo encontrado", other: "{count} archivos encontrados" }, nothing: { one: "No hay nada que subir: se omitió {count} archivo oculto.", other: "No hay nada que subir: se omitieron {count} archivos ocultos." },
    sending: "Enviando", paused: "En pausa", stopped: "Detenida", done: "La subida ha terminado.", progress: "{done} de {total} archivos · {bytes} de {all}",
    waiting: "Se volverá a intentar automáticamente; nada se pierde.", stored: "Imágenes nuevas", known: "Ya presentes", refused: "Rechazados", skipped: "Ocultos, omitidos", left: "Pendientes", number: "{count}",
    studies: { one: "En {count} estudio", other: "En {count} estudios" }, images: { one: "{count} imagen", other: "{count} imágenes" }, refusedFiles: "Archivos rechazados", leftFiles: "Archivos pendientes",
    goOn: "Continuar", close: "Cerrar", background: "En segundo plano", noDicom: "No contiene ningún archivo DICOM", filtered: "Un filtro del servidor no lo quiere", unreadable: "El archivo ya no se puede leer",
  },
});
