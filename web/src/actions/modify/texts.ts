import { texts } from "../../i18n";
import { OPTIONS, type UsualTag } from "./draft";

export const say = texts({
  en: {
    modify: "Modify", anonymize: "Anonymize", modifyTitle: { one: "Modify", other: "Modify {count}" }, anonymizeTitle: { one: "Anonymize", other: "Anonymize {count}" },
    aboutAnonymize: "A copy without what identifies the patient is made, with new identifiers. What the chosen profile does to the tags can be changed for each of them.",
    aboutModify: "A changed copy with new identifiers is made.", aboutInPlace: "The images keep their identifiers and are replaced by what is made of them. What they were cannot be brought back.",
    patientHint: "All studies of the patient are copied. A new patient comes to be where the patient ID is replaced.",
    tags: "Tags", byProfile: "As the profile says", unchanged: "Unchanged", Keep: "Keep", Replace: "Replace", Remove: "Remove", newValue: "new value",
    otherTag: "Another tag", otherTagHint: "By its name, as PatientComments, its number, as 0010,4000, or a path, as ReferencedImageSequence[*].PatientName", add: "Add",
    force: "Identifiers are set by hand: the server does so without asking whether the result belongs together (Force). The same ID for two patients makes them one.",
    result: "Result", inPlace: "Keep the identifiers: change the images where they are", deleteSource: "Delete the originals afterwards", keepLabels: "Copy the labels", keepPrivate: "Keep private tags", removePrivate: "Remove private tags",
    profile: "Profile", options: "Options", dateShift: "Move dates by days", dateShiftHint: "Empty: by days that follow from the patient", key: "Key of pseudonyms", keyHint: "The same key gives the same pseudonyms again. Keep it secret.",
    pixels: "Names in the picture", masks: "Rectangles to blank", masksHint: "One in each line: left, top, right, bottom, in pixels; as 0 0 300 40",
    cancel: "Cancel", back: "Back", preview: "Preview", tag: "Tag", action: "What happens", before: "Before", after: "After", imagesColumn: "Images", showKept: "Show what stays as it is too",
    wouldChange: { one: "{count} tag would change in {images} images. Nothing has been done yet.", other: "{count} tags would change in {images} images. Nothing has been done yet." }, images: { one: "{count} image", other: "{count} images" },
    notJudged: "The server cannot judge this; please look at it:", newIdentifier: "a new identifier",
    Removed: "Removed", Cleared: "Emptied", Replaced: "Replaced", Added: "Added", Remapped: "New identifier", Masked: "Blanked", Kept: "Kept",
    several: { one: "{count} study", other: "{count} studies" }, modifying: "Modifying: {what}", anonymizing: "Anonymizing: {what}", modified: { one: "{count} image modified.", other: "{count} images modified." }, anonymized: { one: "{count} image anonymized.", other: "{count} images anonymized." },
    openResult: "Open the result", openStudies: "To the newest studies",
  },
  fr: {
    modify: "Modifier", anonymize: "Anonymiser", modifyTitle: { one: "Modifier", other: "Modifier {count} éléments" }, anonymizeTitle: { one: "Anonymiser", other: "Anonymiser {count} éléments" },
    aboutAnonymize: "Une copie sans ce qui identifie le patient est créée, avec de nouveaux identifiants. L’effet du profil choisi peut être changé pour chaque attribut.",
    aboutModify: "Une copie modifiée avec de nouveaux identifiants est créée.", aboutInPlace: "Les images gardent leurs identifiants et sont remplacées par le résultat. Leur état précédent ne peut pas être rétabli.",
    patientHint: "Toutes les études du patient sont copiées. Un nouveau patient apparaît si l’ID du patient est remplacé.",
    tags: "Attributs", byProfile: "Selon le profil", unchanged: "Inchangé", Keep: "Garder", Replace: "Remplacer", Remove: "Supprimer", newValue: "nouvelle valeur",
    otherTag: "Autre attribut", otherTagHint: "Par son nom, comme PatientComments, son numéro, comme 0010,4000, ou un chemin, comme ReferencedImageSequence[*].PatientName", add: "Ajouter",
    force: "Des identifiants sont fixés à la main : le serveur ne vérifie pas si le résultat va ensemble (Force). Le même ID pour deux patients n’en fait qu’un.",
    result: "Résultat", inPlace: "Garder les identifiants : modifier les images sur place", deleteSource: "Supprimer ensuite les originaux", keepLabels: "Copier les étiquettes", keepPrivate: "Garder les attributs privés", removePrivate: "Supprimer les attributs privés",
    profile: "Profil", options: "Options", dateShift: "Décaler les dates (jours)", dateShiftHint: "Vide : un nombre de jours propre au patient", key: "Clé des pseudonymes", keyHint: "La même clé redonne les mêmes pseudonymes. Gardez-la secrète.",
    pixels: "Noms dans l’image", masks: "Rectangles à effacer", masksHint: "Un par ligne : gauche, haut, droite, bas, en pixels ; par exemple 0 0 300 40",
    cancel: "Annuler", back: "Retour", preview: "Aperçu", tag: "Attribut", action: "Effet", before: "Avant", after: "Après", imagesColumn: "Images", showKept: "Montrer aussi ce qui reste",
    wouldChange: { one: "{count} attribut changerait dans {images} images. Rien n’est encore fait.", other: "{count} attributs changeraient dans {images} images. Rien n’est encore fait." }, images: { one: "{count} image", other: "{count} images" },
    notJudged: "Le serveur ne peut pas en juger ; à vérifier :", newIdentifier: "un nouvel identifiant",
    Removed: "Supprimé", Cleared: "Vidé", Replaced: "Remplacé", Added: "Ajouté", Remapped: "Nouvel identifiant", Masked: "Effacé", Kept: "Gardé",
    several: { one: "{count} étude", other: "{count} études" }, modifying: "Modification : {what}", anonymizing: "Anonymisation : {what}", modified: { one: "{count} image modifiée.", other: "{count} images modifiées." }, anonymized: { one: "{count} image anonymisée.", other: "{count} images anonymisées." },
    openResult: "Ouvrir le résultat", openStudies: "Vers les dernières études",
  },
  de: {
    modify: "Ändern", anonymize: "Anonymisieren", modifyTitle: { one: "Ändern", other: "{count} ändern" }, anonymizeTitle: { one: "Anonymisieren", other: "{count} anonymisieren" },
    aboutAnonymize: "Es entsteht eine Kopie ohne das, was den Patienten erkennbar macht, mit neuen Kennungen. Was das gewählte Profil mit den Attributen tut, lässt sich für jedes ändern.",
    aboutModify: "Es entsteht eine geänderte Kopie mit neuen Kennungen.", aboutInPlace: "Die Bilder behalten ihre Kennungen und werden durch das Ergebnis ersetzt. Was sie waren, lässt sich nicht zurückholen.",
    patientHint: "Alle Studien des Patienten werden kopiert. Ein neuer Patient entsteht, wo die Patienten-ID ersetzt wird.",
    tags: "Attribute", byProfile: "Wie im Profil", unchanged: "Unverändert", Keep: "Behalten", Replace: "Ersetzen", Remove: "Entfernen", newValue: "neuer Wert",
    otherTag: "Ein anderes Attribut", otherTagHint: "Mit Namen wie PatientComments, Nummer wie 0010,4000 oder Pfad wie ReferencedImageSequence[*].PatientName", add: "Hinzufügen",
    force: "Kennungen sind von Hand gesetzt: Der Server fragt nicht, ob das Ergebnis zusammengehört (Force). Dieselbe ID macht aus zwei Patienten einen.",
    result: "Ergebnis", inPlace: "Kennungen behalten: die Bilder an Ort und Stelle ändern", deleteSource: "Danach die Originale löschen", keepLabels: "Etiketten übernehmen", keepPrivate: "Private Attribute behalten", removePrivate: "Private Attribute entfernen",
    profile: "Profil", options: "Optionen", dateShift: "Daten um Tage verschieben", dateShiftHint: "Leer: um Tage, die aus dem Patienten folgen", key: "Schlüssel der Pseudonyme", keyHint: "Derselbe Schlüssel gibt wieder dieselben Pseudonyme. Bitte geheim halten.",
    pixels: "Namen im Bild", masks: "Rechtecke, die geschwärzt werden", masksHint: "Eines je Zeile: links, oben, rechts, unten, in Pixeln; etwa 0 0 300 40",
    cancel: "Abbrechen", back: "Zurück", preview: "Vorschau", tag: "Attribut", action: "Was geschieht", before: "Vorher", after: "Nachher", imagesColumn: "Bilder", showKept: "Auch zeigen, was bleibt",
    wouldChange: { one: "{count} Attribut würde sich in {images} Bildern ändern. Noch ist nichts geschehen.", other: "{count} Attribute würden sich in {images} Bildern ändern. Noch ist nichts geschehen." }, images: { one: "{count} Bild", other: "{count} Bilder" },
    notJudged: "Das kann der Server nicht beurteilen; bitte ansehen:", newIdentifier: "eine neue Kennung",
    Removed: "Entfernt", Cleared: "Geleert", Replaced: "Ersetzt", Added: "Hinzugefügt", Remapped: "Neue Kennung", Masked: "Geschwärzt", Kept: "Behalten",
    several: { one: "{count} Studie", other: "{count} Studien" }, modifying: "Wird geändert: {what}", anonymizing: "Wird anonymisiert: {what}", modified: { one: "{count} Bild geändert.", other: "{count} Bilder geändert." }, anonymized: { one: "{count} Bild anonymisiert.", other: "{count} Bilder anonymisiert." },
    openResult: "Ergebnis öffnen", openStudies: "Zu den neuesten Studien",
  },
  es: {
    modify: "Modificar", anonymize: "Anonimizar", modifyTitle: { one: "Modificar", other: "Modificar {count}" }, anonymizeTitle: { one: "Anonimizar", other: "Anonimizar {count}" },
    aboutAnonymize: "Se crea una copia sin lo que identifica al paciente, con identificadores nuevos. Lo que el perfil elegido hace con los atributos se puede cambiar en cada uno.",
    aboutModify: "Se crea una copia modificada con identificadores nuevos.", aboutInPlace: "Las imágenes conservan sus identificadores y se sustituyen por el resultado. Lo que eran no se puede recuperar.",
    patientHint: "Se copian todos los estudios del paciente. Aparece un paciente nuevo si se reemplaza el ID del paciente.",
    tags: "Atributos", byProfile: "Según el perfil", unchanged: "Sin cambios", Keep: "Conservar", Replace: "Reemplazar", Remove: "Eliminar", newValue: "valor nuevo",
    otherTag: "Otro atributo", otherTagHint: "Por su nombre, como PatientComments, su número, como 0010,4000, o una ruta, como ReferencedImageSequence[*].PatientName", add: "Añadir",
    force: "Los identificadores se fijan a mano: el servidor no comprueba si el resultado va junto (Force). El mismo ID para dos pacientes los convierte en uno.",
    result: "Resultado", inPlace: "Conservar los identificadores: cambiar las imágenes en su sitio", deleteSource: "Eliminar después los originales", keepLabels: "Copiar las etiquetas", keepPrivate: "Conservar atributos privados", removePrivate: "Eliminar atributos privados",
    profile: "Perfil", options: "Opciones", dateShift: "Mover las fechas (días)", dateShiftHint: "Vacío: unos días que dependen del paciente", key: "Clave de los seudónimos", keyHint: "La misma clave da otra vez los mismos seudónimos. Guárdela en secreto.",
    pixels: "Nombres en la imagen", masks: "Rectángulos que se borran", masksHint: "Uno por línea: izquierda, arriba, derecha, abajo, en píxeles; como 0 0 300 40",
    cancel: "Cancelar", back: "Atrás", preview: "Vista previa", tag: "Atributo", action: "Qué ocurre", before: "Antes", after: "Después", imagesColumn: "Imágenes", showKept: "Mostrar también lo que queda igual",
    wouldChange: { one: "{count} atributo cambiaría en {images} imágenes. Todavía no se ha hecho nada.", other: "{count} atributos cambiarían en {images} imágenes. Todavía no se ha hecho nada." }, images: { one: "{count} imagen", other: "{count} imágenes" },
    notJudged: "El servidor no puede juzgarlo; revíselo:", newIdentifier: "un identificador nuevo",
    Removed: "Eliminado", Cleared: "Vaciado", Replaced: "Reemplazado", Added: "Añadido", Remapped: "Identificador nuevo", Masked: "Borrado", Kept: "Conservado",
    several: { one: "{count} estudio", other: "{count} estudios" }, modifying: "Modificando: {what}", anonymizing: "Anonimizando: {what}", modified: { one: "{count} imagen modificada.", other: "{count} imágenes modificadas." }, anonymized: { one: "{count} imagen anonimizada.", other: "{count} imágenes anonimizadas." },
    openResult: "Abrir el resultado", openStudies: "A los estudios más recientes",
  },
});

const tags = texts({
  en: { PatientName: "Patient name", PatientID: "Patient ID", PatientBirthDate: "Birth date", PatientSex: "Sex", StudyDate: "Study date", StudyDescription: "Study description", AccessionNumber: "Accession number", StudyID: "Study ID", ReferringPhysicianName: "Referring physician", InstitutionName: "Institution", SeriesDescription: "Series description", SeriesNumber: "Series number", BodyPartExamined: "Body part" },
  fr: { PatientName: "Nom du patient", PatientID: "ID du patient", PatientBirthDate: "Date de naissance", PatientSex: "Sexe", StudyDate: "Date de l’étude", StudyDescription: "Description de l’étude", AccessionNumber: "Numéro d’accès", StudyID: "ID de l’étude", ReferringPhysicianName: "Médecin prescripteur", InstitutionName: "Établissement", SeriesDescription: "Description de la série", SeriesNumber: "Numéro de série", BodyPartExamined: "Partie du corps" },
  de: { PatientName: "Name des Patienten", PatientID: "Patienten-ID", PatientBirthDate: "Geburtsdatum", PatientSex: "Geschlecht", StudyDate: "Datum der Studie", StudyDescription: "Beschreibung der Studie", AccessionNumber: "Auftragsnummer", StudyID: "Studien-ID", ReferringPhysicianName: "Überweisender Arzt", InstitutionName: "Einrichtung", SeriesDescription: "Beschreibung der Serie", SeriesNumber: "Nummer der Serie", BodyPartExamined: "Körperteil" },
  es: { PatientName: "Nombre del paciente", PatientID: "ID del paciente", PatientBirthDate: "Fecha de nacimiento", PatientSex: "Sexo", StudyDate: "Fecha del estudio", StudyDescription: "Descripción del estudio", AccessionNumber: "Número de acceso", StudyID: "ID del estudio", ReferringPhysicianName: "Médico solicitante", InstitutionName: "Institución", SeriesDescription: "Descripción de la serie", SeriesNumber: "Número de serie", BodyPartExamined: "Parte del cuerpo" },
});

export const nameOfTag = (keyword: UsualTag) => tags(keyword);

const options = texts({
  en: { CleanDescriptors: "Keep descriptions, cleaned of what identifies", RetainLongitudinalModifiedDates: "Keep dates, moved by the same days for a patient", RetainLongitudinalFullDates: "Keep dates and times", RetainPatientCharacteristics: "Keep age, sex, size and weight", RetainDeviceIdentity: "Keep what identifies the device", RetainInstitutionIdentity: "Keep the institution", RetainUIDs: "Keep UIDs", RetainSafePrivate: "Keep private tags known to be safe" },
  fr: { CleanDescriptors: "Garder les descriptions, sans ce qui identifie", RetainLongitudinalModifiedDates: "Garder les dates, décalées du même nombre de jours par patient", RetainLongitudinalFullDates: "Garder les dates et heures", RetainPatientCharacteristics: "Garder âge, sexe, taille et poids", RetainDeviceIdentity: "Garder l’identité de l’appareil", RetainInstitutionIdentity: "Garder l’établissement", RetainUIDs: "Garder les UID", RetainSafePrivate: "Garder les attributs privés réputés sûrs" },
  de: { CleanDescriptors: "Beschreibungen behalten, bereinigt", RetainLongitudinalModifiedDates: "Daten behalten, je Patient um dieselben Tage verschoben", RetainLongitudinalFullDates: "Daten und Zeiten behalten", RetainPatientCharacteristics: "Alter, Geschlecht, Größe und Gewicht behalten", RetainDeviceIdentity: "Kennzeichen des Geräts behalten", RetainInstitutionIdentity: "Einrichtung behalten", RetainUIDs: "UIDs behalten", RetainSafePrivate: "Als sicher bekannte private Attribute behalten" },
  es: { CleanDescriptors: "Conservar descripciones, sin lo que identifica", RetainLongitudinalModifiedDates: "Conservar fechas, movidas los mismos días por paciente", RetainLongitudinalFullDates: "Conservar fechas y horas", RetainPatientCharacteristics: "Conservar edad, sexo, talla y peso", RetainDeviceIdentity: "Conservar la identidad del equipo", RetainInstitutionIdentity: "Conservar la institución", RetainUIDs: "Conservar los UID", RetainSafePrivate: "Conservar atributos privados considerados seguros" },
});

export const nameOfOption = (name: (typeof OPTIONS)[number]) => options(name);

const reasons = texts({
  en: { PrivateElements: "Private tags stay", UnknownElements: "Tags of unknown kind stay", EncapsulatedDocument: "A document is inside", StructuredReportText: "The text of a report stays", BurnedInAnnotation: "The picture may show names", ShortIdentifiers: "Identifiers are too short to be looked for in texts", KeptByRequest: "You keep what the profile would remove" },
  fr: { PrivateElements: "Des attributs privés restent", UnknownElements: "Des attributs de type inconnu restent", EncapsulatedDocument: "Un document est inclus", StructuredReportText: "Le texte d’un compte rendu reste", BurnedInAnnotation: "L’image peut montrer des noms", ShortIdentifiers: "Des identifiants sont trop courts pour être cherchés dans les textes", KeptByRequest: "Vous gardez ce que le profil supprimerait" },
  de: { PrivateElements: "Private Attribute bleiben", UnknownElements: "Attribute unbekannter Art bleiben", EncapsulatedDocument: "Ein Dokument ist enthalten", StructuredReportText: "Der Text eines Befunds bleibt", BurnedInAnnotation: "Das Bild kann Namen zeigen", ShortIdentifiers: "Kennungen sind zu kurz, um in Texten gesucht zu werden", KeptByRequest: "Sie behalten, was das Profil entfernen würde" },
  es: { PrivateElements: "Quedan atributos privados", UnknownElements: "Quedan atributos de tipo desconocido", EncapsulatedDocument: "Hay un documento dentro", StructuredReportText: "Queda el texto de un informe", BurnedInAnnotation: "La imagen puede mostrar nombres", ShortIdentifiers: "Hay identificadores demasiado cortos para buscarlos en textos", KeptByRequest: "Conserva lo que el perfil eliminaría" },
});

const REASONS = ["PrivateElements", "UnknownElements", "EncapsulatedDocument", "StructuredReportText", "BurnedInAnnotation", "ShortIdentifiers", "KeptByRequest"] as const;

/** Why people have to look at something; what has no name here as the server says it. */
export function reasonOf(name: string, details: string): string {
  const known = REASONS.find((each) => each === name);
  return known === undefined ? details : reasons(known);
}
