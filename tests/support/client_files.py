"""Files that clients send and get."""

import io
from pathlib import Path

import numpy as np
from support import generated


def make_files(folder: Path) -> np.ndarray:
    """Two series of the same three slices, and one file that is none."""
    stack = np.arange(3 * 20 * 30).reshape(3, 20, 30).astype("<i2")
    for series in (1, 2):
        for place, pixels in enumerate(stack):
            dataset = generated.base()
            generated.add_pixels(dataset, pixels)
            dataset.ImagePositionPatient = [0, 0, 2 * place]
            buffer = io.BytesIO()
            dataset.save_as(buffer, enforce_file_format=True)
            data = generated.Template(buffer.getvalue()).number(1, 1, series, place)
            (folder / f"{series}-{place}.dcm").write_bytes(data)
    (folder / "notes.txt").write_text("no image")
    return stack
