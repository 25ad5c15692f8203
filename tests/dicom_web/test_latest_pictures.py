"""The memory of pictures has a bound."""

from orthanc_fast.services.dicom_web.latest_pictures import LatestPictures


def test_the_oldest_give_way() -> None:
    latest = LatestPictures(16 * 1000)
    for number in range(20):
        latest.put(b"%d" % number, bytes(1000))
        assert latest.get(b"0") is not None  # asked for all the time
    found = [number for number in range(20) if latest.get(b"%d" % number) is not None]
    assert found == [0, *range(8, 20)]


def test_large_ones_are_not_kept() -> None:
    latest = LatestPictures(16 * 1000)
    latest.put(b"small", b"a")
    latest.put(b"large", bytes(1001))
    assert latest.get(b"large") is None
    assert latest.get(b"small") == b"a"


def test_one_tag_is_counted_once() -> None:
    latest = LatestPictures(16 * 1000)
    latest.put(b"other", b"b")
    for _ in range(100):
        latest.put(b"same", bytes(1000))
    assert latest.get(b"other") == b"b"
