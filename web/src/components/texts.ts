import { texts } from "../i18n";

export const say = texts({
  en: { copy: "Copy", save: "Save", close: "Close", cancel: "Cancel", ok: "OK", loading: "Loading…", retry: "Try again", failed: "That did not work", selectAll: "Select all", select: "Select", clear: "Clear", stop: "Stop", progress: "Progress", notifications: "Notifications" },
  fr: { copy: "Copier", save: "Enregistrer", close: "Fermer", cancel: "Annuler", ok: "OK", loading: "Chargement…", retry: "Réessayer", failed: "Cela n’a pas fonctionné", selectAll: "Tout sélectionner", select: "Sélectionner", clear: "Effacer", stop: "Arrêter", progress: "Progression", notifications: "Notifications" },
  de: { copy: "Kopieren", save: "Speichern", close: "Schließen", cancel: "Abbrechen", ok: "OK", loading: "Wird geladen…", retry: "Noch einmal", failed: "Das hat nicht geklappt", selectAll: "Alle auswählen", select: "Auswählen", clear: "Leeren", stop: "Anhalten", progress: "Fortschritt", notifications: "Mitteilungen" },
  es: { copy: "Copiar", save: "Guardar", close: "Cerrar", cancel: "Cancelar", ok: "Aceptar", loading: "Cargando…", retry: "Reintentar", failed: "No ha funcionado", selectAll: "Seleccionar todo", select: "Seleccionar", clear: "Borrar", stop: "Detener", progress: "Progreso", notifications: "Notificaciones" },
});
