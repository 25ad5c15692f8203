// Stands for zarrita, which NiiVue loads to read Zarr: the server sends NIfTI, and 1.4 MB of decoders stay away.

function none(): never {
  throw new Error("Zarr is not read here");
}

export const FetchStore = none;
export const root = none;
export const open = none;
export const get = none;
export const slice = none;
