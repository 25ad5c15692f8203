"""pynetdicom's C-FIND service behind our channel beside our own responses: the same answers, made
anew for each, without an index."""

import multiprocessing
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydicom.dataset import Dataset
from support import find_scu
from support.dicom_door import Shelf, serving
from support.find_scu import STUDY_ROOT, FindScu

from bench import population
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.model import Caller
from orthanc_fast.network.find import Find
from orthanc_fast.services.query_retrieve.answer_encoding import AnswerEncoder
from orthanc_fast.transfer_syntaxes import SYNTAXES
from orthanc_fast.upper_layer import dimse

AMOUNT = 10_000
_PAGE = 200


def _values() -> dict[str, str]:
    of_study = population.study(1)
    return {**of_study.values, "PatientID": of_study.patient_id, "StudyInstanceUID": of_study.uid}


class _Prepared:
    """Answers as our own service has them."""

    def __init__(self) -> None:
        dictionary = Dictionary()
        self._values = {dictionary.parse(name): text for name, text in _values().items()}
        self._dictionary = dictionary

    def answers(
        self, caller: Caller, identifier: bytes, transfer_syntax: str
    ) -> Iterator[list[bytes]]:
        syntax = SYNTAXES[transfer_syntax]
        encoder = AnswerEncoder(self._values, {}, syntax, "Latin1", self._dictionary)
        for _ in range(AMOUNT // _PAGE):
            yield [encoder.encode(self._values) for _ in range(_PAGE)]


def _handler(event: Any) -> Iterator[tuple[int, Dataset]]:
    """Answers as a handler of pynetdicom's gives them."""
    values = _values()
    for _ in range(AMOUNT):
        answer = Dataset()
        answer.SpecificCharacterSet = "ISO_IR 100"
        for keyword, text in values.items():
            setattr(answer, keyword, text)
        yield 0xFF00, answer


def _serve(pipe: Connection, own: bool) -> None:
    """In a process of its own: tells its port, then the seconds of CPU that it took."""
    table: dict[str, Any] = (
        {"operations": {STUDY_ROOT: {dimse.C_FIND_RQ: Find(_Prepared().answers, lambda _: None)}}}
        if own
        else {"handlers": {STUDY_ROOT: {dimse.C_FIND_RQ: _handler}}}
    )
    with (
        TemporaryDirectory() as folder,
        serving(Shelf(Path(folder)), DicomAlwaysAllowFind=True, **table) as door,
    ):
        pipe.send(door.port)
        while pipe.recv():
            pipe.send(time.process_time())


def compare(rounds: int) -> list[str]:
    """Lines for the report: the best of the rounds, after one that is not counted."""
    lines = []
    for name, own in (("pynetdicom's service", False), ("our own responses", True)):
        here, there = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(target=_serve, args=(there, own))
        process.start()
        port = here.recv()
        found = []
        for _ in range(rounds + 1):
            here.send(True)
            before = here.recv()
            with FindScu(port) as scu:
                outcome = scu.find(find_scu.encoded([(0x00080052, "CS", "STUDY")]))
            here.send(True)
            cpu = here.recv() - before
            assert len(outcome.answers) == AMOUNT
            found.append((outcome.seconds, cpu))
        here.send(False)
        process.join()
        seconds, cpu = min(found[1:])
        lines.append(
            f"* {name}: {AMOUNT / seconds:,.0f} answers/s, {cpu / AMOUNT * 1e6:.1f} us of CPU each"
        )
    return ["", "C-FIND responses without an index, 11 attributes each:", "", *lines]
