import { texts } from "../../i18n";

export const say = texts({
  en: {
    title: "Studies", more: "More filters", fewer: "Fewer filters", filters: "Search", clear: "Clear", any: "Any",
    PatientName: "Patient", PatientID: "Patient ID", PatientBirthDate: "Born", PatientSex: "Sex", StudyDate: "Date", StudyTime: "Time",
    ModalitiesInStudy: "Modality", StudyDescription: "Description", AccessionNumber: "Accession", Labels: "Labels", Series: "Series",
    NumberOfStudyRelatedInstances: "Images", ReferringPhysicianName: "Referring physician", InstitutionName: "Institution", StudyID: "Study ID", LastUpdate: "Received",
    from: "From", to: "To", today: "Today", yesterday: "Yesterday", week: "Last 7 days", month: "Last 30 days", year: "Last year",
    columns: "Columns", perPage: "Rows", previous: "Previous page", next: "Next page", range: "{from}–{to} of {total}", selected: { one: "{count} selected", other: "{count} selected" },
    unselect: "Unselect all", noLabels: "No study has a label yet.", noMatch: "No study matches.", nothing: "Nothing is stored yet.", firstSteps: "Drop DICOM files, folders or ZIP archives on this page.",
    counting: "…",
  },
  fr: {
    title: "Études", more: "Plus de filtres", fewer: "Moins de filtres", filters: "Recherche", clear: "Effacer", any: "Toutes",
    PatientName: "Patient", PatientID: "ID du patient", PatientBirthDate: "Né(e) le", PatientSex: "Sexe", StudyDate: "Date", StudyTime: "Heure",
    ModalitiesInStudy: "Modalité", StudyDescription: "Description", AccessionNumber: "Nº d’accès", Labels: "Étiquettes", Series: "Séries",
    NumberOfStudyRelatedInstances: "Images", ReferringPhysicianName: "Médecin prescripteur", InstitutionName: "Établissement", StudyID: "ID de l’étude", LastUpdate: "Reçue",
    from: "Du", to: "Au", today: "Aujourd’hui", yesterday: "Hier", week: "7 derniers jours", month: "30 derniers jours", year: "Dernière année",
    columns: "Colonnes", perPage: "Lignes", previous: "Page précédente", next: "Page suivante", range: "{from}–{to} sur {total}", selected: { one: "{count} sélectionnée", other: "{count} sélectionnées" },
    unselect: "Tout désélectionner", noLabels: "Aucune étude n’a encore d’étiquette.", noMatch: "Aucune étude ne correspond.", nothing: "Rien n’est encore stocké.", firstSteps: "Déposez des fichiers DICOM, des dossiers ou des archives ZIP sur cette page.",
    counting: "…",
  },
  de: {
    title: "Studien", more: "Mehr Filter", fewer: "Weniger Filter", filters: "Suche", clear: "Leeren", any: "Alle",
    PatientName: "Patient", PatientID: "Patienten-ID", PatientBirthDate: "Geboren", PatientSex: "Geschlecht", StudyDate: "Datum", StudyTime: "Zeit",
    ModalitiesInStudy: "Modalität", StudyDescription: "Beschreibung", AccessionNumber: "Auftragsnummer", Labels: "Etiketten", Series: "Serien",
    NumberOfStudyRelatedInstances: "Bilder", ReferringPhysicianName: "Überweisender Arzt", InstitutionName: "Einrichtung", StudyID: "Studien-ID", LastUpdate: "Empfangen",
    from: "Von", to: "Bis", today: "Heute", yesterday: "Gestern", week: "Letzte 7 Tage", month: "Letzte 30 Tage", year: "Letztes Jahr",
    columns: "Spalten", perPage: "Zeilen", previous: "Vorige Seite", next: "Nächste Seite", range: "{from}–{to} von {total}", selected: { one: "{count} ausgewählt", other: "{count} ausgewählt" },
    unselect: "Auswahl aufheben", noLabels: "Noch hat keine Studie ein Etikett.", noMatch: "Keine Studie passt.", nothing: "Noch ist nichts gespeichert.", firstSteps: "Ziehen Sie DICOM-Dateien, Ordner oder ZIP-Archive auf diese Seite.",
    counting: "…",
  },
  es: {
    title: "Estudios", more: "Más filtros", fewer: "Menos filtros", filters: "Búsqueda", clear: "Borrar", any: "Todas",
    PatientName: "Paciente", PatientID: "ID del paciente", PatientBirthDate: "Nacimiento", PatientSex: "Sexo", StudyDate: "Fecha", StudyTime: "Hora",
    ModalitiesInStudy: "Modalidad", StudyDescription: "Descripción", AccessionNumber: "Nº de acceso", Labels: "Etiquetas", Series: "Series",
    NumberOfStudyRelatedInstances: "Imágenes", ReferringPhysicianName: "Médico solicitante", InstitutionName: "Institución", StudyID: "ID del estudio", LastUpdate: "Recibido",
    from: "Desde", to: "Hasta", today: "Hoy", yesterday: "Ayer", week: "Últimos 7 días", month: "Últimos 30 días", year: "Último año",
    columns: "Columnas", perPage: "Filas", previous: "Página anterior", next: "Página siguiente", range: "{from}–{to} de {total}", selected: { one: "{count} seleccionado", other: "{count} seleccionados" },
    unselect: "Quitar la selección", noLabels: "Ningún estudio tiene todavía etiquetas.", noMatch: "Ningún estudio coincide.", nothing: "Todavía no hay nada almacenado.", firstSteps: "Arrastre archivos DICOM, carpetas o archivos ZIP a esta página.",
    counting: "…",
  },
});
