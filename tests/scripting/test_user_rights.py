"""Routes of scripts and users: they need the right that the configuration names, whatever route of
the server they take the place of."""

from collections.abc import Iterator

import pytest
from support.users_site import Site

SCRIPT = """
import orthanc


def answer(output, uri, **request):
    output.AnswerBuffer(orthanc.RestApiGet("/statistics"), "application/json")


def who(output, uri, **request):
    output.AnswerBuffer(request["headers"].get("x-orthanc-fast-user", "nobody"), "text/plain")


orthanc.RegisterRestCallback("/scripted/(.*)", answer)
orthanc.RegisterRestCallback("/who", who)
orthanc.RegisterRestCallback("/statistics", answer)
"""


@pytest.fixture(scope="module", params=["administrate", "browse"])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("scripted-rights")
    script = folder / "script.py"
    script.write_text(SCRIPT)
    needed = {"Scripts": {"RoutesNeed": request.param}} if request.param == "browse" else {}
    found = Site(folder, PythonScript=str(script), **needed)
    yield found
    found.close()


@pytest.mark.parametrize("path", ["/scripted/x", "/statistics", "/scripted%2fx", "/./statistics"])
def test_who_reaches_them(site: Site, path: str) -> None:
    is_open = "Scripts" in site.server.configuration
    expected = {
        "admin": 200,
        "only-administrate": 403 if is_open else 200,
        "reader": 200 if is_open else 403,
        "only-modify": 403,
        "blue": 403,  # a script could show him everything
        "": 401,
    }
    assert {name: site.client(name).get(path).status_code for name in expected} == expected
    for method in ("POST", "PUT", "DELETE"):
        answer = site.client("only-delete").request(method, path, content=b"x")
        assert answer.status_code == 403


def test_the_route_itself_is_not_reached_another_way(site: Site) -> None:
    """HEAD and OPTIONS go to the server's own route, which has its own need."""
    assert site.client("only-upload").head("/statistics").status_code == 403
    assert site.client("reader").head("/statistics").status_code == 200
    assert site.client("blue").head("/scripted/x").status_code == 404


def test_a_script_knows_who_asks(site: Site) -> None:
    for name in ("x-orthanc-fast-user", "X-Orthanc-Fast-User"):
        assert site.admin.get("/who", headers={name: "somebody else"}).text == "admin"
