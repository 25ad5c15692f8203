"""Every rule of the decoder of texts, over HTTP, one value for each. Source: reference chapter 2,
section 2."""

from collections.abc import Iterator

import httpx
import pytest
from support.encoded import element, file_of, item
from support.server import OurServer

KOREAN = (
    b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf"
)
EIGHT_BIT = {
    101: "iso8859-2",
    109: "iso8859-3",
    110: "iso8859-4",
    148: "iso8859-9",
    144: "iso8859-5",
    127: "iso8859-6",
    126: "iso8859-7",
    138: "iso8859-8",
    166: "iso8859-11",
}
UPPER_HALF = [bytes(range(start, start + 32)) for start in (0xA1, 0xC1)]

# Specific character set (None: absent), value, text.
VALUES: list[tuple[str | None, bytes, str]] = [
    # Spellings of the terms
    (" iso_ir_192 ", "é€".encode(), "é€"),
    ("ISO_2022_IR_100", b"\xe9", "é"),
    ("ISO 2022 IR 159", b"a\xe9", "a"),
    ("ISO-IR 100", b"a\xe9", "aé"),
    ("ISO_IR100", b"a\xe9", "aé"),
    (None, b"\xe9", "é"),
    ("", b"\xe9", "é"),
    ("\\", b"\xe9", "é"),
    # One byte for each character
    ("ISO_IR 6", b"a\xe9\x7f\tb\x1fc", "abc"),
    ("ISO 2022 IR 6", b"a\xe9b", "ab"),
    ("ISO_IR 100", b"\x80\x9f\xe9\t", "\x80\x9f\xe9\t"),
    *(
        (f"ISO{prefix} {number}", raw, raw.decode(codec, "ignore"))
        for prefix in ("_IR", " 2022 IR")
        for number, codec in EIGHT_BIT.items()
        for raw in UPPER_HALF
    ),
    # UTF-8: what is invalid goes, and takes a byte along
    ("ISO_IR 192", "\U0001f600".encode(), "\U0001f600"),
    ("ISO_IR 192", b"\xe9b c", " c"),
    ("ISO_IR 192", b"\xe9\xe9bc", "bc"),
    ("ISO_IR 192", b"\xf0\x9f\x98zz", "z"),
    ("ISO_IR 192", b"\xff\x80a\xc1b", "ab"),
    ("ISO_IR 192", b"\xc0\x80a", "a"),
    ("ISO_IR 192", b"\xf5abc", "abc"),
    ("ISO_IR 192", b"\xe0\x80\x80a", "a"),
    ("ISO_IR 192", b"\xed\xa0\x80a", "a"),
    ("ISO_IR 192", b"\xf4\x90\x80\x80a", "a"),
    ("ISO_IR 192", b"a\xf0\x9f", "a"),
    # Several bytes
    ("ISO_IR 13", b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3~\\x", "ﾔﾏﾀﾞ^ﾀﾛｳ‾\\x"),
    ("ISO_IR 13", b"\xff\xd4\x81", "ﾔ"),
    ("GB18030", "中文€".encode("gb18030"), "中文€"),
    ("GBK", "中文".encode("gbk"), "中文"),
    ("GBK", b"a\xd6", "a"),
    ("ISO 2022 IR 58", b"\xd5\xc5a", "张a"),
    # Code extensions
    ("\\ISO 2022 IR 149", KOREAN, "Hong^Gildong=洪^吉洞=홍^길동"),
    ("\\ISO 2022 IR 149", b"a\xfb b", "a b"),
    ("ISO 2022 IR 149", b"\x1b$)C\xfb\xf3", "\x1b$)C洪"),
    (
        "\\ISO 2022 IR 87",
        b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B",
        "Yamada^Tarou=山田^太郎",
    ),
    ("ISO 2022 IR 87", b"\x1b$B;3ED\x1b(B", "山田"),
    ("ISO 2022 IR 13\\ISO 2022 IR 87", b"\xd4=\x1b$B;3ED\x1b(J^\x1b$BB@O:", "ﾔ=山田^太郎"),
    ("\\ISO 2022 IR 58", b"Zhang=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1", "Zhang=张^小"),
    ("ISO 2022 IR 100\\ISO 2022 IR 144", b"a\x1b-L\xbb", "aЛ"),
    ("ISO 2022 IR 6\\ISO 2022 IR 100", b"a\x1b-A b\xe9", "a bé"),
    ("\\ISO 2022 IR 100", b"a\x1b-A\xe9\x0e\x0fb\x1bnc\x1b}d", "aébcd"),
]


@pytest.fixture(scope="module")
def client(our_server: OurServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=our_server.url, timeout=60) as found:
        yield found


def tags_of(client: httpx.Client, data: bytes) -> dict[str, object]:
    answer = client.post("/instances", content=data)
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = client.get(f"/instances/{answer.json()['ID']}/tags?short").json()
    return found


@pytest.mark.parametrize(("term", "value", "text"), VALUES)
def test_text(client: httpx.Client, term: str | None, value: bytes, text: str) -> None:
    elements = [(0x00081030, "LO", value)]
    if term is not None:
        elements.append((0x00080005, "CS", term.encode()))
    assert tags_of(client, file_of(*elements))["0008,1030"] == text


@pytest.mark.parametrize(
    ("vr", "text"), [("LT", "a¥b"), ("ST", "a¥b"), ("UT", "a¥b"), ("UC", "a\\b")]
)
def test_backslash_in_japanese(client: httpx.Client, vr: str, text: str) -> None:
    data = file_of((0x00080005, "CS", b"ISO_IR 13"), (0x00081030, vr, b"a\\b"))
    assert tags_of(client, data)["0008,1030"] == text


def test_only_the_root_decides(client: httpx.Client) -> None:
    inner = element(0x00080005, "CS", b"ISO_IR 100") + element(0x00081030, "LO", "é".encode())
    data = file_of((0x00080005, "CS", b"ISO_IR 192"), (0x00081140, "SQ", item(inner)))
    found = tags_of(client, data)
    assert found["0008,1140"] == [{"0008,0005": "ISO_IR 100", "0008,1030": "é"}]
    assert found["0008,0005"] == "ISO_IR 192"
