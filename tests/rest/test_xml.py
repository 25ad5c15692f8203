"""Answers as XML: always well-formed, whatever the names and values in them are."""

import asyncio
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import generated
from support.server import OurServer

from orthanc_fast.rest.response import JSON, Response
from orthanc_fast.rest.xml import convert

XML = {"Accept": "application/xml"}


def converted(value: Any) -> bytes:
    response = Response(msgspec.json.encode(value), JSON)
    try:
        convert(response).send(None)
    except StopIteration:
        return bytes(response.body)
    raise AssertionError("there is nothing to wait for")


def original(name: str) -> str:
    return re.sub(r"_x([0-9A-F]{4,6})_", lambda match: chr(int(match[1], 16)), name)


@pytest.mark.parametrize(
    ("name", "element"),
    [
        ("Name", "Name"),
        ("Köln", "Köln"),
        ("a-b.c9", "a-b.c9"),
        ("0010,0010", "_x0030_010_x002C_0010"),
        ("a><b/><c x='", "a_x003E__x003C_b_x002F__x003E__x003C_c_x0020_x_x003D__x0027_"),
        ("ns:a", "ns_x003A_a"),
        ("-a", "_x002D_a"),
        ("_x0041_", "_x005F_x0041_"),
        ("\u68ee\U0001f600", "_x68EE__x1F600_"),
        ("", "_"),
    ],
)
def test_names(name: str, element: str) -> None:
    (found,) = ElementTree.fromstring(converted({name: 1}))
    assert found.tag == element
    assert found.text == "1"


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.dictionaries(TEXTS.filter(bool), TEXTS, max_size=3))
def test_any_name_and_value(value: dict[str, str]) -> None:
    root = ElementTree.fromstring(converted(value))
    assert [original(element.tag) for element in root] == sorted(value)
    for element, key in zip(root, sorted(value), strict=True):
        expected = re.sub("[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "\ufffd", value[key])
        # Section 2.11: a reader sees line feeds only.
        assert (element.text or "") == expected.replace("\r\n", "\n").replace("\r", "\n")


def test_the_event_loop_goes_on_while_a_large_answer_is_turned() -> None:
    value = ["<" * 100] * 2000

    async def run() -> tuple[list[int], bytes]:
        turns: list[int] = []
        asyncio.get_running_loop().call_soon(turns.append, 1)
        response = Response(msgspec.json.encode(value), JSON)
        await convert(response)
        return turns, bytes(response.body)

    turns, body = asyncio.run(run())
    assert turns == [1]
    assert [item.text for item in ElementTree.fromstring(body)] == value


def test_through_the_server(tmp_path: Path) -> None:
    name = "a><injected x='"
    with OurServer(tmp_path, {"UserMetadata": {name: 1024}}) as server, httpx.Client() as client:
        system = ElementTree.fromstring(client.get(f"{server.url}/system", headers=XML).content)
        data = generated.small().number(1, 1, 1, 1)
        instance = client.post(f"{server.url}/instances", content=data).json()["Path"]
        tags = ElementTree.fromstring(
            client.get(f"{server.url}{instance}/tags", headers=XML).content
        )
    metadata = system.find("UserMetadata")
    assert metadata is not None
    assert {original(element.tag) for element in metadata} == {name, "1024"}
    assert "0020,000d" in [original(element.tag) for element in tags]
