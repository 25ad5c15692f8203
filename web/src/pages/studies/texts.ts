import { texts } from "../../i18n";

export const say = texts({
  en: { title: "Studies", patient: "Patient", patientId: "Patient ID", date: "Date", modality: "Modality", description: "Description", accession: "Accession", nothing: "Nothing is stored yet." },
  fr: { title: "Études", patient: "Patient", patientId: "ID du patient", date: "Date", modality: "Modalité", description: "Description", accession: "Nº d’accès", nothing: "Rien n’est encore stocké." },
  de: { title: "Studien", patient: "Patient", patientId: "Patienten-ID", date: "Datum", modality: "Modalität", description: "Beschreibung", accession: "Auftragsnummer", nothing: "Noch ist nichts gespeichert." },
  es: { title: "Estudios", patient: "Paciente", patientId: "ID del paciente", date: "Fecha", modality: "Modalidad", description: "Descripción", accession: "Nº de acceso", nothing: "Todavía no hay nada almacenado." },
});
