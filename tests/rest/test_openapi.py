"""The description of the API: it is true of the router, and what it describes can be thrown at a
running server without breaking it."""

import json
import os
import re
from collections.abc import Iterator
from typing import Any

import httpx
import hypothesis
import jsonschema_rs
import pytest
import schemathesis
from schemathesis.core.result import Ok
from support import generated
from support.server import OurServer

METHODS = ("get", "post", "put", "delete")

# 5xx answers that the reference defines: -1 for a JSON field of an unexpected type, 2 for what
# this version cannot do, 6, 22, 27, and what Orthanc's index says: 1010, 1012.
DEFINED = {-1, 2, 6, 22, 27, 1010, 1012}


@schemathesis.serializer("application/dicom", "application/octet-stream", "application/zip")
def as_bytes(context: Any, value: Any) -> bytes:
    """What is generated for an upload, behind the first part of a real file."""
    noise = json.dumps(value).encode() if not isinstance(value, bytes) else value
    return bytes(generated.small().number(9, 9, 9, 9))[: 131 * len(noise) % 3000] + noise


SETTINGS = hypothesis.settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "3")),
    deadline=None,
    derandomize=True,  # a run that fails can be repeated
    database=None,
    phases=[hypothesis.Phase.generate],
    suppress_health_check=list(hypothesis.HealthCheck),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    configuration = {"HttpWorkers": 1, "UserMetadata": {"note": 1024}}
    with OurServer(tmp_path_factory.mktemp("openapi"), configuration) as running:
        yield running


@pytest.fixture(scope="module")
def document(server: OurServer) -> Any:
    answer = httpx.get(f"{server.url}/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_is_valid_openapi(document: Any) -> None:
    """By the reader of schemathesis; and every schema is one of JSON Schema 2020-12."""
    schemathesis.openapi.from_dict(document).validate()
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.validator_for({**schema, "components": document["components"]})


def test_every_route_is_described(document: Any) -> None:
    """And says what it does in words."""
    seen = set()
    for path, method, operation in operations(document):
        assert len(operation["summary"]) > 5, (path, method)
        assert operation["operationId"] not in seen
        seen.add(operation["operationId"])
        variables = re.findall(r"{(\w+)}", path)
        parameters = operation.get("parameters", ())
        assert variables == [each["name"] for each in parameters if each["in"] == "path"]
    assert len(seen) > 100


def test_methods_are_those_that_the_server_allows(server: OurServer, document: Any) -> None:
    """OPTIONS answers from the router itself."""
    with httpx.Client(base_url=server.url) as client:
        for path, methods in document["paths"].items():
            real = re.sub(r"{\w+}", "x", path)
            if "/plugins/x" in real or "/app/" in real:
                continue
            allowed = set(client.options(real).headers["allow"].lower().replace(" ", "").split(","))
            assert set(methods) - {"options"} == allowed & set(METHODS), path


def test_answers_are_as_described(server: OurServer, document: Any) -> None:
    """Every GET without variables, and those of one resource per level."""
    with httpx.Client(base_url=server.url, timeout=30) as client:
        stored = client.post("/instances", content=generated.small().number(1, 1, 1, 1)).json()
        identifiers = {
            "patients": stored["ParentPatient"],
            "studies": stored["ParentStudy"],
            "series": stored["ParentSeries"],
            "instances": stored["ID"],
        }
        checked = 0
        for path, method, operation in operations(document):
            level = path.split("/")[1]
            if method != "get" or path.replace("{id}", "").count("{"):
                continue
            if "{id}" in path and level not in identifiers:
                continue
            answer = client.get(path.replace("{id}", identifiers.get(level, "")))
            content = operation["responses"]["200"].get("content")
            if answer.status_code != 200 or content is None:
                continue
            kind, media = next(iter(content.items()))
            if "image" in kind or "numpy" in path:
                continue
            assert answer.headers["content-type"].split(";")[0] == kind, path
            if kind == "application/json":
                schema = {**media["schema"], "components": document["components"]}
                jsonschema_rs.validator_for(schema).validate(answer.json())
            checked += 1
        assert checked > 40


def test_pages_know_their_total(server: OurServer) -> None:
    with httpx.Client(base_url=server.url, timeout=30) as client:
        for number in range(1, 8):
            client.post("/instances", content=generated.small().number(50, number, 1, 1))
        stored = len(client.get("/studies").json())
        for path in ("/studies", "/studies?since=2&limit=3", "/studies?since=90&limit=3&expand"):
            assert client.get(path).headers["x-total-count"] == str(stored), path

        def total(**body: Any) -> tuple[int, str | None]:
            answer = client.post("/tools/find", json={"Level": "Study", "Query": {}, **body})
            return len(answer.json()), answer.headers.get("x-total-count")

        patient = client.get("/studies?expand").json()
        name = patient[-1]["PatientMainDicomTags"]["PatientID"]
        matching = total(Query={"PatientID": name})[0]
        assert total() == (stored, str(stored))
        assert total(Limit=2) == (min(2, stored), str(stored))
        assert total(Query={"PatientID": name}, Limit=1) == (1, str(matching))
        assert total(Query={"PatientID": "nobody"}) == (0, "0")
        # Where the files of the rest would have to be read, nothing is promised.
        first = client.get("/instances?limit=1&since=0").json()[0]
        rows = client.get(f"/instances/{first}/simplified-tags").json()["Rows"]
        assert total(Query={"Rows": rows}, Limit=1) == (1, None)
        assert total(Query={"Rows": "65000"}, Limit=1) == (0, "0")


class Fuzzer:
    """Throws generated requests at a server, and judges the answers: see DEFINED."""

    def __init__(self, client: httpx.Client, known: dict[str, str]) -> None:
        self._client = client
        self._known = known
        self.tried = 0

    def fuzz(self, operation: Any, real: bool) -> None:
        """Valid and invalid requests; with `real` of a resource that exists, so that the handler
        gets past its 404."""

        @SETTINGS
        @hypothesis.given(case=_cases(operation))
        def run(case: Any) -> None:
            self._attempt(case, real)

        run()

    def _attempt(self, case: Any, real: bool) -> None:
        level = case.operation.path.split("/")[1]
        if real and level in self._known and "id" in (case.path_parameters or {}):
            case.path_parameters = {**case.path_parameters, "id": self._known[level]}
        request = case.as_transport_kwargs(base_url=str(self._client.base_url))
        answer = self._client.request(
            request["method"],
            request["url"],
            params=request.get("params"),
            content=_body(request),
            headers=dict(request["headers"] or {}),
        )
        self.tried += 1
        if answer.status_code >= 500:
            assert answer.text.startswith("{"), (request, answer.text)
            assert answer.json()["OrthancStatus"] in DEFINED, (request, answer.text)


def _cases(operation: Any) -> Any:
    modes = schemathesis.GenerationMode
    return hypothesis.strategies.one_of(
        *(operation.as_strategy(generation_mode=mode) for mode in (modes.POSITIVE, modes.NEGATIVE))
    )


def _body(request: dict[str, Any]) -> bytes | None:
    if request.get("json") is not None:
        return json.dumps(request["json"]).encode()
    body = request.get("data")
    return body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body


def test_nothing_breaks_the_server(server: OurServer, document: Any) -> None:
    """Generated arguments, bodies and variables for every route, valid and not. Where Orthanc
    answers 500 to nonsense so do we, but never because something unforeseen was raised."""
    schema = schemathesis.openapi.from_dict(document)
    schema.config.base_url = server.url
    with httpx.Client(base_url=server.url, timeout=60) as client:
        stored = client.post("/instances", content=generated.small().number(9, 9, 9, 9)).json()
        known = {
            "patients": stored["ParentPatient"],
            "studies": stored["ParentStudy"],
            "series": stored["ParentSeries"],
            "instances": stored["ID"],
        }
        fuzzer = Fuzzer(client, known)
        for result in schema.get_all_operations():
            assert isinstance(result, Ok)
            operation = result.ok()
            if operation.path in ("/tools/reset", "/tools/shutdown"):
                continue
            fuzzer.fuzz(operation, real=False)
            if "{id}" in operation.path and operation.method.upper() != "DELETE":
                fuzzer.fuzz(operation, real=True)
        assert client.get(f"/instances/{stored['ID']}").status_code == 200
    assert fuzzer.tried > 500
    assert "Traceback" not in server.log_path.read_text()
