import { texts } from "../../i18n";

export const say = texts({
  en: {
    title: "Worklists", off: "Worklists are not enabled on this server.", none: "No examination is planned.", add: "New worklist", edit: "Edit", remove: "Delete", change: "Edit the worklist", cancel: "Cancel", save: "Save", actions: "Actions", sure: "Delete the worklist of {what}? Modalities will not find it any more.",
    PatientName: "Patient name", PatientID: "Patient ID", PatientBirthDate: "Birth date", PatientSex: "Sex", AccessionNumber: "Accession number", RequestedProcedureDescription: "Procedure", ReferringPhysicianName: "Referring physician", Modality: "Modality", ScheduledProcedureStepStartDate: "Date", ScheduledProcedureStepStartTime: "Time", ScheduledStationAETitle: "AE title of the modality", ScheduledProcedureStepDescription: "Step",
    patient: "Patient", examination: "Examination", nameHint: "Family name and given name, with ^ between them", timeHint: "As 08:30", others: "What else the worklist holds stays as it is.",
  },
  fr: {
    title: "Listes de travail", off: "Les listes de travail ne sont pas activées sur ce serveur.", none: "Aucun examen n’est prévu.", add: "Nouvelle entrée", edit: "Modifier", remove: "Supprimer", change: "Modifier l’entrée", cancel: "Annuler", save: "Enregistrer", actions: "Actions", sure: "Supprimer l’entrée de {what} ? Les modalités ne la trouveront plus.",
    PatientName: "Nom du patient", PatientID: "ID du patient", PatientBirthDate: "Date de naissance", PatientSex: "Sexe", AccessionNumber: "Numéro d’accès", RequestedProcedureDescription: "Examen", ReferringPhysicianName: "Médecin prescripteur", Modality: "Modalité", ScheduledProcedureStepStartDate: "Date", ScheduledProcedureStepStartTime: "Heure", ScheduledStationAETitle: "AE title de la modalité", ScheduledProcedureStepDescription: "Étape",
    patient: "Patient", examination: "Examen", nameHint: "Nom et prénom, séparés par ^", timeHint: "Par exemple 08:30", others: "Le reste de l’entrée ne change pas.",
  },
  de: {
    title: "Arbeitslisten", off: "Arbeitslisten sind auf diesem Server nicht eingeschaltet.", none: "Keine Untersuchung ist geplant.", add: "Neuer Eintrag", edit: "Bearbeiten", remove: "Löschen", change: "Eintrag bearbeiten", cancel: "Abbrechen", save: "Speichern", actions: "Aktionen", sure: "Den Eintrag von {what} löschen? Modalitäten finden ihn dann nicht mehr.",
    PatientName: "Name des Patienten", PatientID: "Patienten-ID", PatientBirthDate: "Geburtsdatum", PatientSex: "Geschlecht", AccessionNumber: "Auftragsnummer", RequestedProcedureDescription: "Untersuchung", ReferringPhysicianName: "Überweisender Arzt", Modality: "Modalität", ScheduledProcedureStepStartDate: "Datum", ScheduledProcedureStepStartTime: "Zeit", ScheduledStationAETitle: "AE-Titel der Modalität", ScheduledProcedureStepDescription: "Schritt",
    patient: "Patient", examination: "Untersuchung", nameHint: "Nachname und Vorname, dazwischen ^", timeHint: "Etwa 08:30", others: "Was der Eintrag sonst enthält, bleibt.",
  },
  es: {
    title: "Listas de trabajo", off: "Las listas de trabajo no están activadas en este servidor.", none: "No hay exámenes previstos.", add: "Nueva entrada", edit: "Editar", remove: "Eliminar", change: "Editar la entrada", cancel: "Cancelar", save: "Guardar", actions: "Acciones", sure: "¿Eliminar la entrada de {what}? Las modalidades ya no la encontrarán.",
    PatientName: "Nombre del paciente", PatientID: "ID del paciente", PatientBirthDate: "Fecha de nacimiento", PatientSex: "Sexo", AccessionNumber: "Número de acceso", RequestedProcedureDescription: "Examen", ReferringPhysicianName: "Médico solicitante", Modality: "Modalidad", ScheduledProcedureStepStartDate: "Fecha", ScheduledProcedureStepStartTime: "Hora", ScheduledStationAETitle: "AE title de la modalidad", ScheduledProcedureStepDescription: "Paso",
    patient: "Paciente", examination: "Examen", nameHint: "Apellido y nombre, con ^ entre ellos", timeHint: "Como 08:30", others: "Lo demás de la entrada queda como está.",
  },
});
