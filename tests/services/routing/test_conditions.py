"""What rules concern, compared with a plain evaluation of their conditions."""

import fnmatch
import io
import re
from collections.abc import Iterator
from typing import Any, get_args

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import generate_uid
from support import generated
from support.routing_site import RoutingSite

from orthanc_fast.config_routing import Event, Rule, rule
from orthanc_fast.errors import OrthancError
from orthanc_fast.index.packed import unpack
from orthanc_fast.model import Caller, Level
from orthanc_fast.services.routing.conditions import EVENTS, Conditions

CALLERS = {
    "CT1": Caller(origin="DicomProtocol", aet="CT1", called_aet="US", address="10.0.0.1"),
    "MR1": Caller(origin="DicomProtocol", aet="MR1", called_aet="US", address="10.0.0.2"),
    "web": Caller(origin="RestApi", user="alice", address="10.0.0.3"),
}
LABELS = {0: [], 1: ["a"], 2: ["a", "b"], 3: ["b"]}
NAMES = ("DOE^JOHN", "DOE^JANE", "ROE^RICHARD", "")
MODALITIES = ("CT", "MR")


class Stored:
    """What a plain evaluation knows of the instances of the store."""

    def __init__(self, site: RoutingSite) -> None:
        self.site = site
        self.rows: list[dict[str, Any]] = []
        number = 0
        for study in range(8):
            for series in range(2):
                for caller in sorted(CALLERS):
                    self._add(study, series, caller, number)
                    number += 1
        for level in (Level.PATIENT, Level.STUDY, Level.SERIES, Level.INSTANCE):
            for public in {row["publics"][level] for row in self.rows}:
                mine = next(row for row in self.rows if row["publics"][level] == public)
                wanted = LABELS[(mine["number"] + level) % 4]
                mine_level = mine.setdefault("labels", {})
                mine_level[level] = wanted

                def label(found: Any, level: Any = level, public: bytes = public) -> None:
                    resource = found.resource(level, public)
                    for each in wanted:  # noqa: B023
                        found.add_label(resource, each)

                site.services.index.write(label)
                for row in self.rows:
                    if row["publics"][level] == public:
                        row.setdefault("labels", {})[level] = wanted

    def _add(self, study: int, series: int, caller: str, number: int) -> None:
        data_set = pydicom.dcmread(io.BytesIO(generated.small().number(study, study, series, 1)))
        values = {
            "PatientName": NAMES[study % 4],
            "StudyDate": f"2026010{study + 1}",
            "Modality": MODALITIES[(study + series) % 2],
            "SeriesDescription": ("Axial", "axial thin", "Scout")[(study * 2 + series) % 3],
            "InstanceNumber": str(number),
            "FilterType": ("CHEST", "HEAD")[number % 2],  # in files only
        }
        for name, value in values.items():
            setattr(data_set, name, value)
        data_set.SOPInstanceUID = data_set.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        file = io.BytesIO()
        data_set.save_as(file)
        publics = self.site.put(file.getvalue(), CALLERS[caller])
        self.rows.append(
            {"number": number, "publics": publics, "caller": CALLERS[caller], "tags": values}
        )

    def expected(self, wanted: Rule, level: Level, public: bytes) -> list[bytes]:
        """Instance by instance, in plain words."""
        below = [row for row in self.rows if row["publics"][level] == public]
        mine = below[0]
        texts = {name: mine["tags"][name] for name in _ASKED[level]}
        if level == Level.STUDY:
            kinds = {row["tags"]["Modality"] for row in below}
            wanted_kinds = wanted.query.get("ModalitiesInStudy", "")
            if wanted_kinds and not kinds & set(wanted_kinds.split("\\")):
                return []
        for name, pattern in wanted.query.items():
            if name != "ModalitiesInStudy" and not _matches(
                name, pattern, texts[name], wanted.case_sensitive
            ):
                return []
        if not _labelled(wanted, mine["labels"][level]):
            return []
        return [row["publics"][3] for row in below if _from(wanted, row["caller"])]


_ASKED = {
    Level.PATIENT: ("PatientName",),
    Level.STUDY: ("PatientName", "StudyDate"),
    Level.SERIES: ("PatientName", "StudyDate", "Modality", "SeriesDescription"),
    Level.INSTANCE: (
        *("PatientName", "StudyDate", "Modality", "SeriesDescription", "InstanceNumber"),
        "FilterType",
    ),
}


def _matches(name: str, pattern: str, value: str, case_sensitive: bool) -> bool:
    if not pattern:
        return True
    if name == "StudyDate" and "-" in pattern:
        low, _, high = pattern.partition("-")
        return (not low or value >= low) and (not high or value <= high)
    if not case_sensitive:
        pattern, value = pattern.lower(), value.lower()
    if "\\" in pattern:
        return value in pattern.split("\\")
    return re.match(fnmatch.translate(pattern), value) is not None


def _labelled(wanted: Rule, labels: list[str]) -> bool:
    if not wanted.labels:
        return wanted.labels_constraint != "None" or not labels
    found = [each in labels for each in wanted.labels]
    return {"All": all(found), "Any": any(found), "None": not any(found)}[wanted.labels_constraint]


def _from(wanted: Rule, caller: Caller) -> bool:
    known = {
        "Origin": caller.origin,
        "RemoteAET": caller.aet,
        "CalledAET": caller.called_aet or "",
        "RemoteIP": caller.address or "",
        "HttpUsername": caller.user or "",
    }
    return all(
        _matches(name, pattern, known[name], wanted.case_sensitive)
        for name, pattern in wanted.origin.items()
    )


PATTERNS = {
    "PatientName": st.sampled_from(
        ["DOE*", "doe^john", "*^J?NE", "ROE^RICHARD\\DOE^JANE", "X", ""]
    ),
    "StudyDate": st.sampled_from(["20260103", "20260102-20260105", "-20260104", "20260106-", ""]),
    "Modality": st.sampled_from(["CT", "M?", "CT\\MR", "US"]),
    "SeriesDescription": st.sampled_from(["axial*", "Axial", "*thin", "Scout\\Axial"]),
    "InstanceNumber": st.sampled_from(["3", "1\\2\\30", "7"]),
    "FilterType": st.sampled_from(["CHEST", "H*"]),
    "ModalitiesInStudy": st.sampled_from(["CT", "CT\\MR", "US"]),
}
ORIGINS = {
    "Origin": st.sampled_from(["DicomProtocol", "RestApi", "*"]),
    "RemoteAET": st.sampled_from(["CT1", "?R1", "ct*"]),
    "CalledAET": st.sampled_from(["US", "X"]),
    "RemoteIP": st.sampled_from(["10.0.0.*", "10.0.0.3"]),
    "HttpUsername": st.sampled_from(["alice", "ALICE"]),
}


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    event: Event = draw(st.sampled_from(get_args(Event)))
    level = EVENTS[event][1]
    tags = [*_ASKED[level], *(["ModalitiesInStudy"] if level == Level.STUDY else [])]
    query = {name: draw(PATTERNS[name]) for name in draw(st.sets(st.sampled_from(tags)))}
    origin = {
        name: draw(ORIGINS[name])
        for name in draw(st.sets(st.sampled_from(sorted(ORIGINS)), max_size=2))
    }
    return Rule(
        event=event,
        query=query,
        case_sensitive=draw(st.booleans()),
        labels=tuple(draw(st.sets(st.sampled_from(["a", "b"])))),
        labels_constraint=draw(st.sampled_from(["All", "Any", "None"])),
        origin=origin,
        destinations=("there",),
    )


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    site = RoutingSite(tmp_path_factory.mktemp("store"), {})
    yield Stored(site)
    site.close()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(wanted=rules())
def test_rules_concern_what_a_plain_evaluation_finds(stored: Stored, wanted: Rule) -> None:
    services = stored.site.services
    conditions = Conditions("tried", wanted, services.reads, services.finder)
    level = conditions.level
    for public in sorted({row["publics"][level] for row in stored.rows}):
        found = list(unpack(conditions.verdict(public).instances))
        assert found == stored.expected(wanted, level, public), wanted


@pytest.mark.parametrize(
    ("event", "query"),
    [
        ("StableStudy", {"Modality": "CT"}),
        ("StablePatient", {"SOPInstanceUID": "1.2"}),
        ("StableSeries", {"ModalitiesInStudy": "CT"}),
        ("StableStudy", {"ModalitiesInStudy": "C*"}),
        ("NewInstance", {"NoSuchTag": "1"}),
        ("NewInstance", {"SOPClassesInStudy": "1"}),
        ("NewInstance", {"StudyInstanceUID": "1.*"}),
    ],
)
def test_what_cannot_be_asked_is_refused(stored: Stored, event: str, query: dict[str, str]) -> None:
    services = stored.site.services
    wanted = rule("x", {"Event": event, "Query": query, "Destinations": ["d"]}, {"d": None})  # type: ignore[dict-item]
    with pytest.raises(OrthancError):
        Conditions("x", wanted, services.reads, services.finder)
