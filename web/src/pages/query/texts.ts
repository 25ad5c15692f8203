import { texts } from "../../i18n";

export const say = texts({
  en: {
    title: "Query and retrieve", remote: "Server", none: "No other server is known. An administrator adds modalities and DICOMweb servers to the configuration.", PatientName: "Patient", PatientID: "Patient ID", StudyDescription: "Description", AccessionNumber: "Accession",
    from: "From", to: "To", modality: "Modality", any: "Any", search: "Search", PatientBirthDate: "Born", StudyDate: "Date", ModalitiesInStudy: "Modality", NumberOfStudyRelatedSeries: "Series", NumberOfStudyRelatedInstances: "Images",
    here: "Here", isHere: "Open", actions: "Actions", retrieve: "Retrieve", series: "Series", seriesOf: "Series of {what}", noMatch: "{remote} has no such study.", first: "Choose a server and what to look for.",
    found: { one: "{count} study", other: "{count} studies" }, more: "Only the first {count} are shown: make the search narrower.", number: "No.", bodyPart: "Body part", retrieving: "Retrieving: {what}", retrieved: "{what} has been retrieved.", open: "Open the study", anything: "Without any condition the whole archive is asked for. Go on?", ask: "Search all of it?", yes: "Search",
  },
  fr: {
    title: "Interroger et récupérer", remote: "Serveur", none: "Aucun autre serveur n’est connu. Un administrateur ajoute modalités et serveurs DICOMweb à la configuration.", PatientName: "Patient", PatientID: "ID du patient", StudyDescription: "Description", AccessionNumber: "Nº d’accès",
    from: "Du", to: "Au", modality: "Modalité", any: "Toutes", search: "Rechercher", PatientBirthDate: "Né(e) le", StudyDate: "Date", ModalitiesInStudy: "Modalité", NumberOfStudyRelatedSeries: "Séries", NumberOfStudyRelatedInstances: "Images",
    here: "Ici", isHere: "Ouvrir", actions: "Actions", retrieve: "Récupérer", series: "Séries", seriesOf: "Séries de {what}", noMatch: "{remote} n’a pas de telle étude.", first: "Choisissez un serveur et ce qui est cherché.",
    found: { one: "{count} étude", other: "{count} études" }, more: "Seules les {count} premières sont montrées : précisez la recherche.", number: "Nº", bodyPart: "Partie du corps", retrieving: "Récupération : {what}", retrieved: "{what} : récupération terminée.", open: "Ouvrir l’étude", anything: "Sans condition, toute l’archive est interrogée. Continuer ?", ask: "Tout rechercher ?", yes: "Rechercher",
  },
  de: {
    title: "Suchen und abrufen", remote: "Server", none: "Kein anderer Server ist bekannt. Modalitäten und DICOMweb-Server trägt die Verwaltung in die Konfiguration ein.", PatientName: "Patient", PatientID: "Patienten-ID", StudyDescription: "Beschreibung", AccessionNumber: "Auftragsnummer",
    from: "Von", to: "Bis", modality: "Modalität", any: "Alle", search: "Suchen", PatientBirthDate: "Geboren", StudyDate: "Datum", ModalitiesInStudy: "Modalität", NumberOfStudyRelatedSeries: "Serien", NumberOfStudyRelatedInstances: "Bilder",
    here: "Hier", isHere: "Öffnen", actions: "Aktionen", retrieve: "Abrufen", series: "Serien", seriesOf: "Serien von {what}", noMatch: "{remote} hat keine solche Studie.", first: "Wählen Sie einen Server und was gesucht wird.",
    found: { one: "{count} Studie", other: "{count} Studien" }, more: "Nur die ersten {count} werden gezeigt: Bitte genauer suchen.", number: "Nr.", bodyPart: "Körperteil", retrieving: "Wird abgerufen: {what}", retrieved: "{what} ist abgerufen.", open: "Studie öffnen", anything: "Ohne Bedingung wird das ganze Archiv abgefragt. Fortfahren?", ask: "Alles suchen?", yes: "Suchen",
  },
  es: {
    title: "Consultar y recuperar", remote: "Servidor", none: "No se conoce ningún otro servidor. Un administrador añade modalidades y servidores DICOMweb a la configuración.", PatientName: "Paciente", PatientID: "ID del paciente", StudyDescription: "Descripción", AccessionNumber: "Nº de acceso",
    from: "Desde", to: "Hasta", modality: "Modalidad", any: "Todas", search: "Buscar", PatientBirthDate: "Nacimiento", StudyDate: "Fecha", ModalitiesInStudy: "Modalidad", NumberOfStudyRelatedSeries: "Series", NumberOfStudyRelatedInstances: "Imágenes",
    here: "Aquí", isHere: "Abrir", actions: "Acciones", retrieve: "Recuperar", series: "Series", seriesOf: "Series de {what}", noMatch: "{remote} no tiene tal estudio.", first: "Elija un servidor y lo que se busca.",
    found: { one: "{count} estudio", other: "{count} estudios" }, more: "Solo se muestran los {count} primeros: precise la búsqueda.", number: "Nº", bodyPart: "Parte del cuerpo", retrieving: "Recuperando: {what}", retrieved: "{what}: recuperación terminada.", open: "Abrir el estudio", anything: "Sin condiciones se pregunta por todo el archivo. ¿Continuar?", ask: "¿Buscar todo?", yes: "Buscar",
  },
});
