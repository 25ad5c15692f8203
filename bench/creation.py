"""Instances that are created from images, against Orthanc: durable when the answer comes."""

import base64

import imagecodecs
import numpy as np
from support import generated

from bench import load
from bench.compare import Goal, Pair, Row

_EDGE = 512
_CLIENTS = 4


def creation(pair: Pair, rounds: int, quick: bool) -> list[Row]:
    """POST /tools/create-dicom with a PNG of a CT slice, 16 bits."""
    png = imagecodecs.png_encode(generated.anatomy(_EDGE).astype(np.uint16))
    content = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    bodies = [{"Tags": {"PatientName": "Created", "Modality": "OT"}, "Content": content}]
    seconds = 2 if quick else 4
    return [
        pair.compare(
            f"create-dicom, PNG of {len(png) // 1000} KB, {_CLIENTS} clients",
            Goal(3, 0.4),
            rounds,
            lambda server, _: load.post_json(
                server.url, "/tools/create-dicom", bodies, seconds, _CLIENTS
            ),
        )
    ]
