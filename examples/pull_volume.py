"""Pulls a series as a numpy array and saves it as NIfTI: `python pull_volume.py URL SERIES`."""

import sys
from pathlib import Path

import numpy as np

from orthanc_fast.client import Server


def main(url: str, series: str, folder: str = ".") -> None:
    with Server(url) as server:
        volume = server.volume(series)
        place = server.geometry(series)
        print(f"{volume.shape} {volume.dtype}, {volume.min():g} to {volume.max():g}")
        print(f"spacing {place.spacing} mm, origin {place.origin}")
        # The same slice with its bones only, a quarter of the bytes.
        middle = str(len(volume) // 2)
        bones = server.volume(series, dtype="uint8", window=(400, 1800), slices=middle)
        np.save(Path(folder, "bones.npy"), bones)
        nifti = server.content(f"/series/{series}/nifti?compress=1")
        Path(folder, "volume.nii.gz").write_bytes(nifti)


if __name__ == "__main__":
    main(*sys.argv[1:])
