import { texts } from "../../i18n";

export const say = texts({
  en: {
    splitTitle: "Split the study", aboutSplit: "The chosen series go into a new study of the same patient.", series: "Series", images: { one: "{count} image", other: "{count} images" }, unnamed: "Without description",
    description: "Description of the new study", keepSource: "Keep the chosen series in this study too", splitCopies: { one: "{count} series will be copied into a new study. This study stays as it is.", other: "{count} series will be copied into a new study. This study stays as it is." },
    splitMoves: { one: "{count} series will leave this study and go into a new one, with new identifiers.", other: "{count} series will leave this study and go into a new one, with new identifiers." },
    chooseSome: "Choose one series at least.", allLeave: "All series are chosen: this study will be gone.", split: "Split", cancel: "Cancel",
    mergeTitle: "Merge studies", aboutMerge: "The series of the other studies get the tags of patient and study of the one that stays.", into: "The study that stays", candidates: "Studies that go into it", noOthers: "The patient has no other study.",
    keepOthers: "Keep the other studies too", mergeCopies: { one: "The series of {count} study will be copied into “{target}”.", other: "The series of {count} studies will be copied into “{target}”." },
    mergeMoves: { one: "The series of {count} study will go into “{target}”, with new identifiers; that study will be gone.", other: "The series of {count} studies will go into “{target}”, with new identifiers; those studies will be gone." }, merge: "Merge", otherPatients: "These studies are of different patients: all images become those of {patient}.",
    splitting: "Splitting: {what}", merging: "Merging: {what}", done: { one: "{count} image is in its new study.", other: "{count} images are in their new study." }, open: "Open the study",
  },
  fr: {
    splitTitle: "Scinder l’étude", aboutSplit: "Les séries choisies passent dans une nouvelle étude du même patient.", series: "Séries", images: { one: "{count} image", other: "{count} images" }, unnamed: "Sans description",
    description: "Description de la nouvelle étude", keepSource: "Garder aussi les séries choisies dans cette étude", splitCopies: { one: "{count} série sera copiée dans une nouvelle étude. Cette étude reste telle quelle.", other: "{count} séries seront copiées dans une nouvelle étude. Cette étude reste telle quelle." },
    splitMoves: { one: "{count} série quittera cette étude pour une nouvelle, avec de nouveaux identifiants.", other: "{count} séries quitteront cette étude pour une nouvelle, avec de nouveaux identifiants." },
    chooseSome: "Choisissez au moins une série.", allLeave: "Toutes les séries sont choisies : cette étude disparaîtra.", split: "Scinder", cancel: "Annuler",
    mergeTitle: "Fusionner des études", aboutMerge: "Les séries des autres études reçoivent les attributs du patient et de l’étude qui reste.", into: "L’étude qui reste", candidates: "Études à y fusionner", noOthers: "Le patient n’a pas d’autre étude.",
    keepOthers: "Garder aussi les autres études", mergeCopies: { one: "Les séries de {count} étude seront copiées dans « {target} ».", other: "Les séries de {count} études seront copiées dans « {target} »." },
    mergeMoves: { one: "Les séries de {count} étude passeront dans « {target} », avec de nouveaux identifiants ; cette étude disparaîtra.", other: "Les séries de {count} études passeront dans « {target} », avec de nouveaux identifiants ; ces études disparaîtront." }, merge: "Fusionner", otherPatients: "Ces études sont de patients différents : toutes les images deviennent celles de {patient}.",
    splitting: "Scission : {what}", merging: "Fusion : {what}", done: { one: "{count} image est dans sa nouvelle étude.", other: "{count} images sont dans leur nouvelle étude." }, open: "Ouvrir l’étude",
  },
  de: {
    splitTitle: "Studie teilen", aboutSplit: "Die gewählten Serien kommen in eine neue Studie desselben Patienten.", series: "Serien", images: { one: "{count} Bild", other: "{count} Bilder" }, unnamed: "Ohne Beschreibung",
    description: "Beschreibung der neuen Studie", keepSource: "Die gewählten Serien auch hier behalten", splitCopies: { one: "{count} Serie wird in eine neue Studie kopiert. Diese Studie bleibt, wie sie ist.", other: "{count} Serien werden in eine neue Studie kopiert. Diese Studie bleibt, wie sie ist." },
    splitMoves: { one: "{count} Serie verlässt diese Studie und kommt in eine neue, mit neuen Kennungen.", other: "{count} Serien verlassen diese Studie und kommen in eine neue, mit neuen Kennungen." },
    chooseSome: "Bitte mindestens eine Serie wählen.", allLeave: "Alle Serien sind gewählt: Diese Studie wird es nicht mehr geben.", split: "Teilen", cancel: "Abbrechen",
    mergeTitle: "Studien zusammenführen", aboutMerge: "Die Serien der anderen Studien bekommen die Attribute von Patient und Studie derer, die bleibt.", into: "Die Studie, die bleibt", candidates: "Studien, die hineinkommen", noOthers: "Der Patient hat keine andere Studie.",
    keepOthers: "Die anderen Studien auch behalten", mergeCopies: { one: "Die Serien von {count} Studie werden in „{target}“ kopiert.", other: "Die Serien von {count} Studien werden in „{target}“ kopiert." },
    mergeMoves: { one: "Die Serien von {count} Studie kommen in „{target}“, mit neuen Kennungen; jene Studie wird es nicht mehr geben.", other: "Die Serien von {count} Studien kommen in „{target}“, mit neuen Kennungen; jene Studien wird es nicht mehr geben." }, merge: "Zusammenführen", otherPatients: "Diese Studien sind von verschiedenen Patienten: Alle Bilder werden die von {patient}.",
    splitting: "Wird geteilt: {what}", merging: "Wird zusammengeführt: {what}", done: { one: "{count} Bild ist in seiner neuen Studie.", other: "{count} Bilder sind in ihrer neuen Studie." }, open: "Studie öffnen",
  },
  es: {
    splitTitle: "Dividir el estudio", aboutSplit: "Las series elegidas pasan a un estudio nuevo del mismo paciente.", series: "Series", images: { one: "{count} imagen", other: "{count} imágenes" }, unnamed: "Sin descripción",
    description: "Descripción del estudio nuevo", keepSource: "Conservar también las series elegidas en este estudio", splitCopies: { one: "{count} serie se copiará a un estudio nuevo. Este estudio queda como está.", other: "{count} series se copiarán a un estudio nuevo. Este estudio queda como está." },
    splitMoves: { one: "{count} serie dejará este estudio y pasará a uno nuevo, con identificadores nuevos.", other: "{count} series dejarán este estudio y pasarán a uno nuevo, con identificadores nuevos." },
    chooseSome: "Elija al menos una serie.", allLeave: "Todas las series están elegidas: este estudio desaparecerá.", split: "Dividir", cancel: "Cancelar",
    mergeTitle: "Unir estudios", aboutMerge: "Las series de los otros estudios reciben los atributos del paciente y del estudio que queda.", into: "El estudio que queda", candidates: "Estudios que se unen a él", noOthers: "El paciente no tiene otro estudio.",
    keepOthers: "Conservar también los otros estudios", mergeCopies: { one: "Las series de {count} estudio se copiarán a «{target}».", other: "Las series de {count} estudios se copiarán a «{target}»." },
    mergeMoves: { one: "Las series de {count} estudio pasarán a «{target}», con identificadores nuevos; ese estudio desaparecerá.", other: "Las series de {count} estudios pasarán a «{target}», con identificadores nuevos; esos estudios desaparecerán." }, merge: "Unir", otherPatients: "Estos estudios son de pacientes distintos: todas las imágenes pasarán a ser de {patient}.",
    splitting: "Dividiendo: {what}", merging: "Uniendo: {what}", done: { one: "{count} imagen está en su estudio nuevo.", other: "{count} imágenes están en su estudio nuevo." }, open: "Abrir el estudio",
  },
});
