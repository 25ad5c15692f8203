"""Makes the pictures of the web interface that README.md shows: a server with real pictures of
pydicom's files, of patients who do not exist, and a browser that is driven.

PYTHONPATH=.:tests python scripts/interface_pictures.py
"""

import io
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import numpy as np
import pydicom
from PIL import Image
from pydicom.uid import generate_uid
from support.driven_browser import Browser
from support.files import file_named
from support.server import OurServer

FOLDER = Path(__file__).parent.parent / "docs" / "images"
SIZE = (1280, 760)
VIEWER_SIZE = (1100, 660)
USUAL, GREYS, RARE = 100, 64, 60  # colours of a palette
COLOURED = 40  # the difference of the strongest and the weakest part of a colour that is no grey
LARGEST = 150_000  # bytes of a picture


class Series(NamedTuple):
    file: str
    description: str


class Study(NamedTuple):
    patient: str
    identifier: str
    birth: str
    sex: str
    date: str
    description: str
    series: tuple[Series, ...]
    labels: tuple[str, ...] = ()


BASE = Series("J2K_pixelrep_mismatch.dcm", "Skull base, 2 mm")
HEAD = Series("693_UNCR.dcm", "Head, plain 5 mm")
PANCREAS = Series("explicit_VR-UN.dcm", "Abdomen, portal venous")
SPINE = Series("CT_small.dcm", "Thoracic spine, 1 mm")
CHEST = Series("RG1_UNCR.dcm", "Chest PA")
TIBIA = Series("RG3_UNCR.dcm", "Lower leg, lateral")
SHOULDER = Series("MR2_UNCR.dcm", "PD fat sat, oblique coronal")
LIVER = Series("MR-SIEMENS-DICOM-WithOverlays.dcm", "Liver, T1 post contrast")
BRAIN = Series("emri_small.dcm", "Diffusion")
HEART = Series("color3d_jpeg_baseline.dcm", "Apical, 3D")
FETUS = Series("OBXXXX1A.dcm", "Second trimester")
ULTRASOUND = Series("US1_UNCR.dcm", "Carotid, duplex")

STUDIES = (
    Study(
        "Lindqvist^Maja",
        "P-20417",
        "19840312",
        "F",
        "20260519",
        "CT whole body",
        (PANCREAS, SPINE, HEAD, BASE, CHEST._replace(description="Chest, supine")),
        ("trauma",),
    ),
    Study("Okafor^Daniel", "P-20391", "19710928", "M", "20260519", "Chest", (CHEST,)),
    Study(
        "Moreau^Camille", "P-20388", "19910203", "F", "20260518", "MR shoulder left", (SHOULDER,)
    ),
    Study(
        "Hartmann^Greta",
        "P-19822",
        "19580714",
        "F",
        "20260518",
        "MR liver",
        (LIVER,),
        ("tumour-board",),
    ),
    Study(
        "Castillo^Rafael",
        "P-20402",
        "20020522",
        "M",
        "20260518",
        "Lower leg in 2 planes",
        (TIBIA,),
        ("teaching",),
    ),
    Study("Novak^Eliška", "P-20377", "19950101", "F", "20260515", "Obstetric ultrasound", (FETUS,)),
    Study("Tanaka^Haruto", "P-18840", "19660430", "M", "20260515", "Echocardiography", (HEART,)),
    Study(
        "O'Brien^Siobhan",
        "P-20355",
        "19791119",
        "F",
        "20260514",
        "MR brain",
        (BRAIN,),
        ("research-42",),
    ),
    Study(
        "Hartmann^Greta",
        "P-19822",
        "19580714",
        "F",
        "20260512",
        "CT abdomen",
        (PANCREAS,),
        ("tumour-board",),
    ),
    Study("Rossi^Paolo", "P-20301", "19480805", "M", "20260512", "Carotid duplex", (ULTRASOUND,)),
    Study("Yildiz^Deniz", "P-20287", "19880617", "O", "20260511", "CT thoracic spine", (SPINE,)),
    Study("Andersen^Freja", "P-20280", "20100909", "F", "20260511", "Lower leg", (TIBIA,)),
    Study("Dubois^Henri", "P-11704", "19390224", "M", "20260508", "Chest", (CHEST,)),
    Study(
        "Kowalska^Zofia",
        "P-20266",
        "19730316",
        "F",
        "20260507",
        "CT head",
        (HEAD, BASE),
        ("teaching",),
    ),
    Study(
        "Silva^Beatriz", "P-20251", "19990705", "F", "20260507", "MR shoulder right", (SHOULDER,)
    ),
    Study("Lindqvist^Maja", "P-20417", "19840312", "F", "20260430", "Chest", (CHEST,)),
)


def files() -> Iterator[tuple[Study, bytes]]:
    for number, study in enumerate(STUDIES):
        uid = generate_uid(entropy_srcs=[study.identifier, study.date])
        for place, series in enumerate(study.series, start=1):
            data = pydicom.dcmread(file_named(series.file), force=True)
            data.SpecificCharacterSet = "ISO_IR 192"
            data.PatientName, data.PatientID = study.patient, study.identifier
            data.PatientBirthDate, data.PatientSex = study.birth, study.sex
            data.StudyDate, data.StudyTime = (
                study.date,
                f"{8 + number % 9:02}{7 * number % 60:02}00",
            )
            data.StudyDescription, data.AccessionNumber = study.description, f"A{26700 + number}"
            data.InstitutionName, data.ReferringPhysicianName = "General Hospital", "Weber^Anna"
            data.SeriesDescription, data.SeriesNumber = series.description, place
            data.StudyInstanceUID, data.StudyID = uid, str(number)
            data.SeriesInstanceUID = generate_uid(entropy_srcs=[uid, str(place)])
            data.SOPInstanceUID = generate_uid(entropy_srcs=[uid, str(place), "1"])
            data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
            file = io.BytesIO()
            data.save_as(file)
            yield study, file.getvalue()


def store(server: OurServer) -> None:
    for study, content in files():
        answer = httpx.post(f"{server.url}/instances", content=content).raise_for_status()
        parent = answer.json()["ParentStudy"]
        for label in study.labels:
            httpx.put(f"{server.url}/studies/{parent}/labels/{label}").raise_for_status()


def study_of(server: OurServer, study: Study) -> str:
    query = {"PatientID": study.identifier, "StudyDate": study.date}
    body = {"Level": "Study", "Query": query}
    (found,) = httpx.post(f"{server.url}/tools/find", json=body).raise_for_status().json()
    return str(found)


def reduced(picture: Image.Image) -> Image.Image:
    """With a palette: what most of the page has, enough greys for the pictures of medicine, and
    some colours of those that few pixels have, as buttons and lines do."""
    colours, counts = np.unique(np.asarray(picture).reshape(-1, 3), axis=0, return_counts=True)
    usual = colours[np.argsort(counts)[::-1][:USUAL]]
    greys = np.repeat(np.arange(0, 256, 256 // GREYS, dtype=np.uint8)[:, None], 3, axis=1)
    rare = colours[np.ptp(colours.astype(int), axis=1) > COLOURED]
    few = Image.fromarray(rare[None]).quantize(RARE, Image.Quantize.MAXCOVERAGE).convert("RGB")
    parts = np.concatenate([usual, greys, np.unique(np.asarray(few)[0], axis=0)])[:256]
    palette = Image.new("P", (1, 1))
    palette.putpalette(parts.ravel().tolist())
    return picture.quantize(palette=palette, dither=Image.Dither.NONE)


def keep(browser: Browser, name: str) -> None:
    """The page as it is, once its pictures are there."""
    browser.wait_for("!document.querySelector('main .spinner')")
    browser.wait_for("[...document.images].every((each) => each.complete && each.naturalWidth)")
    time.sleep(0.5)  # what fades and scrolls has come to rest
    path = FOLDER / f"{name}.png"
    browser.screenshot(path)
    reduced(Image.open(path).convert("RGB")).save(path, optimize=True)
    size = path.stat().st_size
    print(f"{name}: {size} bytes")
    assert size < LARGEST, f"{name}.png is too large for the page"


def take(browser: Browser, server: OurServer) -> None:
    page = f"{server.url}/app/explorer.html"
    study = study_of(server, STUDIES[0])
    browser.prefer("light")
    browser.open(f"{page}#studies")
    browser.wait_for(f"document.querySelectorAll('tbody tr').length === {len(STUDIES)}")
    keep(browser, "interface-studies")
    browser.open(f"{page}#study?uuid={study}")
    browser.wait_for(
        f"document.querySelectorAll('.series-card').length === {len(STUDIES[0].series)}"
    )
    keep(browser, "interface-study")
    browser.click("Anonymize")
    browser.wait_for("document.querySelector('dialog form')")
    browser.click("Preview")
    browser.wait_for("document.querySelector('dialog .preview tbody tr')")
    keep(browser, "interface-anonymize")
    browser.resize(*VIEWER_SIZE)
    browser.prefer("dark")
    browser.open(f"{page}#viewer?study={study}")
    browser.wait_for("document.querySelector('.viewer-corner')?.innerText")
    browser.wait_for(
        "[...document.querySelectorAll('.viewer-corner')].some((e) => e.innerText.includes('Zoom'))"
    )
    left, top, width, height = browser.value(
        "(() => { const box = document.querySelector('.viewer-stage').getBoundingClientRect();"
        "return [box.x, box.y, box.width, box.height]; })()"
    )
    browser.press("1", "l")  # a window for soft tissue, and the ruler
    middle = (left + width / 2, top + height / 2)
    browser.drag((middle[0] - 90, middle[1] - 40), (middle[0] + 60, middle[1] + 30))
    keep(browser, "interface-viewer")


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        options = {"Name": "General Hospital"}
        with (
            OurServer(Path(folder) / "server", options) as server,
            Browser(Path(folder) / "profile") as browser,
        ):
            store(server)
            browser.resize(*SIZE)
            take(browser, server)


if __name__ == "__main__":
    main()
