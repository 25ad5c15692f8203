import { texts } from "../../i18n";

export const say = texts({
  en: { download: "Download", archive: "ZIP archive", media: "Medium with DICOMDIR (ZIP)", numpy: "NumPy array (.npy)", nifti: "NIfTI volume (.nii)", file: "DICOM file", several: "studies", packing: "Packing the archive" },
  fr: { download: "Télécharger", archive: "Archive ZIP", media: "Support avec DICOMDIR (ZIP)", numpy: "Tableau NumPy (.npy)", nifti: "Volume NIfTI (.nii)", file: "Fichier DICOM", several: "etudes", packing: "Préparation de l’archive" },
  de: { download: "Herunterladen", archive: "ZIP-Archiv", media: "Datenträger mit DICOMDIR (ZIP)", numpy: "NumPy-Array (.npy)", nifti: "NIfTI-Volumen (.nii)", file: "DICOM-Datei", several: "Studien", packing: "Archiv wird gepackt" },
  es: { download: "Descargar", archive: "Archivo ZIP", media: "Soporte con DICOMDIR (ZIP)", numpy: "Matriz NumPy (.npy)", nifti: "Volumen NIfTI (.nii)", file: "Archivo DICOM", several: "estudios", packing: "Preparando el archivo" },
});
