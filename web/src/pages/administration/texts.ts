import { texts } from "../../i18n";

export const say = texts({
  en: {
    title: "Administration", stored: "Stored", patients: "Patients", studies: "Studies", series: "Series", instances: "Images", size: "Size on disk", server: "Server", hour: "Last hour",
    received: "Images per second", written: "Written per second", read: "Read per second", requests: "Requests per second", perSecond: "{count}/s", young: "The first values come after half a minute.",
    modalities: "Modalities", peers: "Peers", name: "Name", aet: "AET", host: "Host", port: "Port", url: "Address", connection: "Connection", test: "Test", there: "{name} answers.", noModalities: "No modality is configured.", noPeers: "No peer is configured.",
    log: "Log", level: "How much is logged", default: "Normal", verbose: "More", trace: "Everything", levelSet: "The log level is changed until the server ends.",
    warnings: "Warnings", errors: "Errors", sinceStart: "since the start", up: "Running for", days: { one: "{count} day", other: "{count} days" }, hours: { one: "{count} hour", other: "{count} hours" }, minutes: { one: "{count} minute", other: "{count} minutes" },
    version: "Version", aetTitle: "AE title", dicomPort: "DICOM port", overwrite: "Overwrite instances", compression: "Compression", transcoding: "Transcoding on arrival", maximum: "Maximum size", readOnly: "Read only", yes: "Yes", no: "No", none: "None",
    metrics: "All figures", insecure: "Anybody who reaches this server may use it: no users are configured.",
  },
  fr: {
    title: "Administration", stored: "Stocké", patients: "Patients", studies: "Études", series: "Séries", instances: "Images", size: "Espace disque", server: "Serveur", hour: "Dernière heure",
    received: "Images par seconde", written: "Écrit par seconde", read: "Lu par seconde", requests: "Requêtes par seconde", perSecond: "{count}/s", young: "Les premières valeurs arrivent après une demi-minute.",
    modalities: "Modalités", peers: "Pairs", name: "Nom", aet: "AET", host: "Hôte", port: "Port", url: "Adresse", connection: "Connexion", test: "Tester", there: "{name} répond.", noModalities: "Aucune modalité n’est configurée.", noPeers: "Aucun pair n’est configuré.",
    log: "Journal", level: "Niveau de détail", default: "Normal", verbose: "Plus", trace: "Tout", levelSet: "Le niveau est changé jusqu’à l’arrêt du serveur.",
    warnings: "Avertissements", errors: "Erreurs", sinceStart: "depuis le démarrage", up: "En marche depuis", days: { one: "{count} jour", other: "{count} jours" }, hours: { one: "{count} heure", other: "{count} heures" }, minutes: { one: "{count} minute", other: "{count} minutes" },
    version: "Version", aetTitle: "Titre AE", dicomPort: "Port DICOM", overwrite: "Écraser les instances", compression: "Compression", transcoding: "Transcodage à l’arrivée", maximum: "Taille maximale", readOnly: "Lecture seule", yes: "Oui", no: "Non", none: "Aucun",
    metrics: "Tous les chiffres", insecure: "Quiconque atteint ce serveur peut l’utiliser : aucun utilisateur n’est configuré.",
  },
  de: {
    title: "Verwaltung", stored: "Gespeichert", patients: "Patienten", studies: "Studien", series: "Serien", instances: "Bilder", size: "Größe auf der Platte", server: "Server", hour: "Letzte Stunde",
    received: "Bilder pro Sekunde", written: "Geschrieben pro Sekunde", read: "Gelesen pro Sekunde", requests: "Anfragen pro Sekunde", perSecond: "{count}/s", young: "Die ersten Werte kommen nach einer halben Minute.",
    modalities: "Modalitäten", peers: "Peers", name: "Name", aet: "AET", host: "Host", port: "Port", url: "Adresse", connection: "Verbindung", test: "Prüfen", there: "{name} antwortet.", noModalities: "Es ist keine Modalität eingerichtet.", noPeers: "Es ist kein Peer eingerichtet.",
    log: "Protokoll", level: "Wie viel protokolliert wird", default: "Normal", verbose: "Mehr", trace: "Alles", levelSet: "Die Stufe gilt, bis der Server endet.",
    warnings: "Warnungen", errors: "Fehler", sinceStart: "seit dem Start", up: "Läuft seit", days: { one: "{count} Tag", other: "{count} Tagen" }, hours: { one: "{count} Stunde", other: "{count} Stunden" }, minutes: { one: "{count} Minute", other: "{count} Minuten" },
    version: "Version", aetTitle: "AE-Titel", dicomPort: "DICOM-Port", overwrite: "Instanzen überschreiben", compression: "Kompression", transcoding: "Umkodieren beim Empfang", maximum: "Größe höchstens", readOnly: "Nur lesen", yes: "Ja", no: "Nein", none: "Keine",
    metrics: "Alle Zahlen", insecure: "Wer diesen Server erreicht, darf ihn benutzen: Es sind keine Benutzer eingerichtet.",
  },
  es: {
    title: "Administración", stored: "Almacenado", patients: "Pacientes", studies: "Estudios", series: "Series", instances: "Imágenes", size: "Tamaño en disco", server: "Servidor", hour: "Última hora",
    received: "Imágenes por segundo", written: "Escrito por segundo", read: "Leído por segundo", requests: "Peticiones por segundo", perSecond: "{count}/s", young: "Los primeros valores llegan tras medio minuto.",
    modalities: "Modalidades", peers: "Pares", name: "Nombre", aet: "AET", host: "Host", port: "Puerto", url: "Dirección", connection: "Conexión", test: "Probar", there: "{name} responde.", noModalities: "No hay ninguna modalidad configurada.", noPeers: "No hay ningún par configurado.",
    log: "Registro", level: "Cuánto se registra", default: "Normal", verbose: "Más", trace: "Todo", levelSet: "El nivel vale hasta que el servidor termine.",
    warnings: "Avisos", errors: "Errores", sinceStart: "desde el inicio", up: "En marcha desde hace", days: { one: "{count} día", other: "{count} días" }, hours: { one: "{count} hora", other: "{count} horas" }, minutes: { one: "{count} minuto", other: "{count} minutos" },
    version: "Versión", aetTitle: "Título AE", dicomPort: "Puerto DICOM", overwrite: "Sobrescribir instancias", compression: "Compresión", transcoding: "Transcodificación al llegar", maximum: "Tamaño máximo", readOnly: "Solo lectura", yes: "Sí", no: "No", none: "Ninguno",
    metrics: "Todas las cifras", insecure: "Quien alcance este servidor puede usarlo: no hay usuarios configurados.",
  },
});
