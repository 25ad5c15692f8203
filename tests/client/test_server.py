"""The client against this server and against Orthanc 1.13; the examples run."""

import runpy
import sys
import types
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import nibabel
import numpy as np
import pytest
from support.client_files import make_files
from support.ports import free_port
from support.reference_server import ReferenceServer
from support.server import OurServer

from orthanc_fast.client import Server, ServerError

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    folder = tmp_path_factory.mktemp("files")
    return folder, make_files(folder)


@pytest.fixture(scope="module")
def server(
    files: tuple[Path, np.ndarray], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    with OurServer(tmp_path_factory.mktemp("client")) as running, Server(running.url) as server:
        summary = server.upload([files[0]])
        assert (summary.stored, summary.refusals) == (6, 1)
        yield server


@pytest.fixture(scope="module")
def orthanc(
    needs_reference: None,
    files: tuple[Path, np.ndarray],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    with (
        ReferenceServer(tmp_path_factory.mktemp("orthanc")) as running,
        Server(running.url) as server,
    ):
        assert server.upload([files[0]]).stored == 6
        yield server


def test_lists_and_finds(server: Server, orthanc: Server) -> None:
    assert sorted(server.instances()) == sorted(orthanc.instances())
    assert sorted(server.series()) == sorted(orthanc.series())
    for each in (server, orthanc):
        (patient,) = each.patients()
        (study,) = each.studies(patient)
        assert each.studies() == [study]
        assert sorted(each.series(study)) == sorted(each.series())
        assert len(each.instances(each.series()[0])) == 3
        found = each.find("Series", {"Modality": "CT"})
        assert sorted(series.id for series in found) == sorted(each.series())
        assert each.find("Series", {"Modality": "MR"}) == []


def test_volumes(server: Server, orthanc: Server, files: tuple[Path, np.ndarray]) -> None:
    stack = files[1]
    for each in (server, orthanc):
        name = each.series()[0]
        volume = each.volume(name)
        assert volume.dtype == np.float32
        np.testing.assert_array_equal(volume, stack.astype("f4") - 1024)
        np.testing.assert_array_equal(each.volume(name, rescale=False), stack)
        single = each.instance(each.instances(name)[0], rescale=False)
        assert single.shape == (1, 20, 30)


def test_choices(server: Server, orthanc: Server, files: tuple[Path, np.ndarray]) -> None:
    stack = files[1]
    name = server.series()[0]
    found = server.volume(name, dtype="int16", slices="1:")
    np.testing.assert_array_equal(found, stack[1:] - 1024)
    assert server.volume(name, dtype="uint8", window=(0, 10)).dtype == np.uint8
    assert server.geometry(name).spacing == (0.7, 0.7, 2)
    with pytest.raises(ServerError, match="no orthanc_fast"):
        orthanc.volume(name, dtype="int16")
    orthanc.volume(name)  # the connection is in order again


def test_prefetching_keeps_the_order(server: Server, files: tuple[Path, np.ndarray]) -> None:
    names = server.series() * 4
    for prefetch in (1, 3, 20):
        found = list(server.volumes(names, prefetch=prefetch, rescale=False))
        assert [name for name, _ in found] == names
        for _, volume in found:
            np.testing.assert_array_equal(volume, files[1])
    first = next(server.volumes(names))  # given up early: nothing hangs
    assert first[0] == names[0]


def test_errors_say_what_is_wrong(server: Server) -> None:
    with pytest.raises(ServerError, match="404") as caught:
        server.volume("nothing")
    assert caught.value.status == 404
    with pytest.raises(ServerError, match="window"):
        server.volume(server.series()[0], dtype="uint8", window=(0, 0))
    with (
        Server(f"http://127.0.0.1:{free_port()}") as nobody,
        pytest.raises(ServerError, match="cannot reach"),
    ):
        nobody.series()


def test_the_example_of_a_volume(
    server: Server, tmp_path: Path, files: tuple[Path, np.ndarray]
) -> None:
    script = runpy.run_path(str(EXAMPLES / "pull_volume.py"))
    script["main"](server.url, server.series()[0], str(tmp_path))
    assert np.load(tmp_path / "bones.npy").shape == (1, 20, 30)
    image = nibabel.load(tmp_path / "volume.nii.gz")
    assert isinstance(image, nibabel.Nifti1Image)
    assert image.shape == (30, 20, 3)


def test_the_example_of_a_dataset(
    server: Server, monkeypatch: pytest.MonkeyPatch, files: tuple[Path, np.ndarray]
) -> None:
    """With PyTorch where it is installed. Elsewhere its three names that the example uses are
    stood in for, so that everything but PyTorch itself is tested."""
    if find_spec("torch") is None:
        torch, utils, data = (types.ModuleType(n) for n in ("torch", "utils", "data"))
        torch.from_numpy = lambda array: array  # type: ignore[attr-defined]
        data.Dataset, data.DataLoader = object, None  # type: ignore[attr-defined]
        modules = {"torch": torch, "torch.utils": utils, "torch.utils.data": data}
        for name, module in modules.items():
            monkeypatch.setitem(sys.modules, name, module)
    script = runpy.run_path(str(EXAMPLES / "torch_dataset.py"))
    dataset = script["VolumeDataset"](server.url)
    assert len(dataset) == 2
    expected = files[1].astype("f2") - 1024
    for index in range(2):
        volume, name = dataset[index]
        np.testing.assert_array_equal(np.asarray(volume), expected)
        assert name in server.series()
    dataset._server.close()
