import { texts } from "../../i18n";

export const say = texts({
  en: {
    send: "Send", title: { one: "Send to", other: "Send {count} to" }, modality: "Modalities (DICOM)", peer: "Peers", web: "DICOMweb servers", cancel: "Cancel",
    none: "No modality, peer or DICOMweb server is configured.", sending: "Sending {what} to {to}", sent: "{what} has been sent to {to}", several: { one: "{count} selected", other: "{count} selected" },
  },
  fr: {
    send: "Envoyer", title: { one: "Envoyer à", other: "Envoyer {count} éléments à" }, modality: "Modalités (DICOM)", peer: "Pairs", web: "Serveurs DICOMweb", cancel: "Annuler",
    none: "Aucune modalité, aucun pair ni serveur DICOMweb n’est configuré.", sending: "Envoi vers {to} : {what}", sent: "Envoyé à {to} : {what}", several: { one: "{count} élément", other: "{count} éléments" },
  },
  de: {
    send: "Senden", title: { one: "Senden an", other: "{count} senden an" }, modality: "Modalitäten (DICOM)", peer: "Peers", web: "DICOMweb-Server", cancel: "Abbrechen",
    none: "Es ist weder eine Modalität noch ein Peer oder DICOMweb-Server eingerichtet.", sending: "Wird an {to} gesendet: {what}", sent: "An {to} gesendet: {what}", several: { one: "{count} Auswahl", other: "{count} ausgewählte" },
  },
  es: {
    send: "Enviar", title: { one: "Enviar a", other: "Enviar {count} elementos a" }, modality: "Modalidades (DICOM)", peer: "Pares", web: "Servidores DICOMweb", cancel: "Cancelar",
    none: "No hay ninguna modalidad, par ni servidor DICOMweb configurado.", sending: "Enviando a {to}: {what}", sent: "Enviado a {to}: {what}", several: { one: "{count} elemento", other: "{count} elementos" },
  },
});
