"""Paths, arguments and bodies that no sensible client sends, to our server and to Orthanc 1.13, one
after the other on both."""

import contextlib
import http.client
import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from support.pair import Call, Pair, compare, started_pair


@pytest.fixture(scope="module")
def pair(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with started_pair(tmp_path_factory.mktemp("pair"), {}) as pair:
        yield pair


# A `+` of a path is a blank, a NUL ends it, and a backslash is a slash.
NUMBERS = ["+5", "%205", "5%20", "05", "5.0", "-5", "+1024", "%2B1024", "01024", "1024%20", "1024x"]
NUMBERS += ["1024%00", "1024%00x", "1%00", "%00", "%095", "5%0A", "+", "-", "--5", "-0", "0", "1"]
NUMBERS += ["2147483648", "4294967297", "-4294966272", "18446744073709551617", "9" * 30, "1e3"]


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_of_metadata_and_attachments(pair: Pair, number: str) -> None:
    for kind in ("metadata", "attachments"):
        of_instance = f"/instances/{{instances}}/{kind}"
        calls = [Call("PUT", f"{of_instance}/1024", b"x")]
        calls += [Call("GET", f"/{level}/{{{level}}}/{kind}/{number}") for level in LEVELS]
        calls += [
            Call("PUT", f"{of_instance}/{number}", b"z"),
            Call("GET", of_instance),
            Call("GET", f"{of_instance}/{number}"),
            Call("DELETE", f"{of_instance}/{number}"),
            Call("GET", of_instance),
        ]
        if kind == "attachments":
            calls.append(Call("GET", f"{of_instance}/{number}/size"))
        compare(pair, calls)


LEVELS = ("patients", "studies", "series", "instances")

PATHS = [
    *(
        "/changes?limit=1%00",
        "/changes?limit=1%00x",
        "/changes?limit%00=1",
        "/changes%00/x?limit=1",
    ),
    *("/changes?limit=1&since=2%00&limit=2", "/changes?limit%3D1", "/changes?limit=1%26since=3"),
    *("/changes?limit=+1", "/changes?limit=%2B1", "/changes?limit=1=2", "/changes?&&limit=1&"),
    *("/changes?=&limit=1", "/changes?limit=1&limit=2", "/changes?limit=1;since=2"),
    *("/changes?limit=%zz", "/changes?limit=1%0", "/changes?limit=", "/changes?limit"),
    *("/instances?limit=%001&since=0", "/instances?since=0%00&limit=1", "/studies?expand=%00"),
    *("/studies?expand=tr%00ue", "/studies?exp%00and", "/studies?expand+"),
    *("/studies/{studies}%00?requested-tags=PatientName", "/stu+dies", "/studies+", "/studies%2B"),
    "/studies/{studies}?requested-tags=Patient%00Name",
    "/instances/{instances}/tags?x%00&short",
    "/instances/{instances}/content/0010+0010",
    *(
        "//studies",
        "/./studies",
        "/%2e%2e/studies",
        "/studies/%2e/",
        "/studies%3Fa",
        "/studies;x=1",
    ),
    *("/studies%5C", "/tools%5Cnope", "/studies/nope%5C..%5C{studies}", "/studies/%5C/x"),
    *("/STUDIES", "/%zz", "/studies%", "/studies/%FF%FE", "/%00", "/studies/%C3%A9"),
    *("/studies?%5fmethod=DELETE", "/instances?%5Fmethod=POST", "/studies?_method%3dDELETE"),
    *("/studies?_method=DEL%00ETE", "/studies?_method%00=DELETE", "/studies?a&_method=PUT"),
    *("/studies?_method=put&_method=DELETE", "/studies?_method=GET", "/studies?_method=HEAD"),
]


@pytest.mark.parametrize("path", PATHS)
def test_paths(pair: Pair, path: str) -> None:
    compare(pair, [Call("GET", path)])


def test_a_label_ends_at_a_nul(pair: Pair) -> None:
    labels = "/studies/{studies}/labels"
    compare(
        pair,
        [
            *(Call("PUT", f"{labels}/a+b"), Call("PUT", f"{labels}/a%00b"), Call("GET", labels)),
            *(Call("DELETE", f"{labels}/a%00x"), Call("GET", labels)),
        ],
    )


BODIES = [b"", b"x", b"1", b'"a"', b"[]", b"[1]", b"null", b"true", b"1.5", b"{", b'{"a"}', b"{}x"]
BODIES += [b"// {}", b'"', b"{}"]
BODIES += [
    b'{"%s":%s}' % (field, value)
    for field in (b"ReconstructFiles", b"LimitToThisLevelMainDicomTags", b"Other")
    for value in (b"true", b"false", b"null", b"0", b"1", b'"x"', b"[]", b"{}")
]


@pytest.mark.parametrize("body", BODIES)
def test_bodies_of_reconstruct(pair: Pair, body: bytes) -> None:
    paths = ("/tools/reconstruct", "/studies/{studies}/reconstruct", "/studies/nope/reconstruct")
    compare(pair, [Call("POST", path, body) for path in (*paths, "/tools/invalidate-tags")])


IMPLICIT = b"1.2.840.10008.1.2"
SYNTAXES: list[bytes] = [
    *(b'{"a":"%s"}' % IMPLICIT, b'["%s",1]' % IMPLICIT, b'["%s*"]' % IMPLICIT, IMPLICIT),
    *(b'"%s"' % IMPLICIT, b'"%s "' % IMPLICIT, b'"%s.4.?0"' % IMPLICIT, b"[[]]", b"[null]"),
    *(b'["x"]', b"*", b'"*"', b"a*", b'[""]', b" *", b"*\n", b"tru", b"-1", b"?"),
]


@pytest.mark.parametrize("body", BODIES + SYNTAXES)
def test_bodies_about_the_dicom_server(pair: Pair, body: bytes) -> None:
    path = "/tools/accepted-transfer-syntaxes"
    unknown = "/tools/unknown-sop-class-accepted"
    compare(
        pair,
        [
            *(Call("PUT", path, b'"*"'), Call("PUT", path, body), Call("GET", path)),
            *(Call("PUT", unknown, b"0"), Call("PUT", unknown, body), Call("GET", unknown)),
        ],
    )


TAGS_BELOW = ["Modality", "OperatorsName", "SeriesDescription", "ImageComments", "StudyDescription"]


@pytest.mark.parametrize("route", ["find", "count-resources"])
@pytest.mark.parametrize("level", ["Patient", "Study", "Series", "Instance"])
def test_a_star_for_tags_of_levels_below(pair: Pair, route: str, level: str) -> None:
    bodies: list[dict[str, Any]] = [
        {"Level": level, "Query": {tag: text}} for tag in TAGS_BELOW for text in ("*", "**", "C*")
    ]
    compare(pair, [Call("POST", f"/tools/{route}", json.dumps(body).encode()) for body in bodies])


def test_sop_classes_of_instances(pair: Pair) -> None:
    """The one tag that one level refuses."""
    for level in ("Study", "Instance"):
        for body in (
            {"Query": {"SOPClassesInStudy": "1.2"}},
            {"Query": {}, "RequestedTags": ["SOPClassesInStudy"]},
        ):
            content = json.dumps({"Level": level, **body}).encode()
            compare(pair, [Call("POST", "/tools/find", content)])
            compare(pair, [Call("POST", "/tools/count-resources", content)])
    requested = "?requested-tags=SOPClassesInStudy"
    for path in (
        "/instances/{instances}",
        "/instances/nope",
        "/studies/{studies}",
        "/studies/nope",
    ):
        compare(pair, [Call("GET", path + requested)])


URIS = ["/nope/", "/nope//", "//nope//x/", "/nope/.", "/a/../nope/", "/nope%2F", "/x/%2e%2e/nope"]
URIS += ["/nope?a=b", "/studies/?limit=1", "/instances/nope/tags//", "/a%20b", "/a+b/", "/a%00b"]


@pytest.mark.parametrize("uri", URIS)
def test_errors_name_the_path_as_it_came(pair: Pair, uri: str) -> None:
    """Sent without the client's own tidying."""
    found = []
    for client in (pair.ours, pair.theirs):
        connection = http.client.HTTPConnection(client.base_url.host, client.base_url.port)
        with contextlib.closing(connection):
            connection.request("GET", uri)
            found.append(json.loads(connection.getresponse().read())["Uri"])
    assert found[0] == found[1]


REQUESTED = [";", "PatientName;", ";PatientName", "PatientName;;StudyDate", "PatientName;nope", ""]
REQUESTED += [",", "%20PatientName", "0010-0010;", "00100010", "PATIENTNAME"]


@pytest.mark.parametrize("names", REQUESTED)
def test_requested_tags_that_are_empty(pair: Pair, names: str) -> None:
    paths = ("/studies/{studies}", "/studies/{studies}/series", "/studies?expand", "/studies")
    for path in paths:
        join = "&" if "?" in path else "?"
        compare(pair, [Call("GET", f"{path}{join}requested-tags={names}")])


@pytest.mark.parametrize("field", ["Simplify", "Short", "Full", "Level", "Metadata", "Resources"])
def test_bodies_of_bulk_content(pair: Pair, field: str) -> None:
    """Which of several wrong fields the error is about, too."""
    identifier = pair.names["studies"]
    values: list[Any] = [None, True, False, 0, 1, "x", "", "Study", [], [1], ["nope"], {}]
    wrong: list[Any] = [{}, {"Full": 1}, {"Level": "nope"}, {"Short": True}, {"Resources": 1}]
    bodies = [
        {"Resources": [identifier], **others, field: value}
        for value, others in itertools.product(values, wrong)
    ]
    bodies.append({"Level": "nope"})
    compare(
        pair, [Call("POST", "/tools/bulk-content", json.dumps(body).encode()) for body in bodies]
    )


@pytest.mark.parametrize("query", ["type=NewStudy", "since=2", "to=1", "limit=5", "type=nope"])
def test_the_last_change_is_that_of_all(pair: Pair, query: str) -> None:
    compare(pair, [Call("GET", f"/changes?last&{query}")])


def test_accepted_sop_classes(pair: Pair) -> None:
    compare(pair, [Call("GET", "/tools/accepted-sop-classes")])
