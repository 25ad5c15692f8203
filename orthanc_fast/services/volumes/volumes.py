"""Frames, instances, series and studies as arrays of numbers, for whoever sends them.

Source: reference chapter 2, sections 6 and 7; what is beyond Orthanc's: docs/volumes.md.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import NamedTuple, TypeVar

import msgspec
import xxhash

from orthanc_fast._ext.ids import to_text
from orthanc_fast.errors import InexistentItem, OrthancError, UnknownResource
from orthanc_fast.imaging.nifti import nifti_header
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.index.packed import unpack
from orthanc_fast.model import Caller, Level, Resource
from orthanc_fast.services.attachments.reading import dicom_attachment
from orthanc_fast.services.pixels.pixels import Pixels
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.volumes import bodies
from orthanc_fast.services.volumes.geometry import Geometry, geometry
from orthanc_fast.services.volumes.places import Selection
from orthanc_fast.services.volumes.plan import Found, Numbers, Planner, Volume
from orthanc_fast.services.volumes.slices import frame_count, order_slices
from orthanc_fast.services.volumes.streaming import Streams

Bytes = bodies.Bytes
Made = TypeVar("Made")


class Slices(NamedTuple):
    """The instances of a series in order with their numbers of frames; see `OrderedSlices`."""

    kind: str
    rows: list[tuple[Resource, int]]


class Wanted(msgspec.Struct, frozen=True):
    """What the numbers of an array become, which of its frames are wanted, and whether the body
    is compressed."""

    numbers: Numbers = Numbers()
    selection: Selection = None
    packed: bool = False


class ArrayBody:
    """One array with its header, as a file of `length` bytes that can be read in parts. `tag`
    changes with the files and with what is asked of them. `place` tells where a series lies."""

    def __init__(
        self, streams: Streams, volume: Volume, header: bytes, place: Geometry | None = None
    ) -> None:
        self._streams = streams
        self._volume = volume
        self._header = header
        self.place = place
        self.length = len(header) + volume.nbytes

    @property
    def tag(self) -> str:
        digest = xxhash.xxh3_64()
        for source in self._volume.sources:
            digest.update(dicom_attachment(source.instance).uuid.encode())
        digest.update(repr((self._volume.numbers, self._volume.frames.identity)).encode())
        return digest.hexdigest()

    def at_once(self) -> bytearray | None:
        """All bytes of a small array whose files are in memory, else None; never waits."""
        return self._streams.at_once(self._volume, self._header)

    def part(self, first: int, stop: int) -> AsyncGenerator[Bytes]:
        """The bytes from `first` up to `stop`; only the frames that they touch are read. Raises
        while it is read as opening and decoding do."""
        return bodies.plain(self._streams, self._volume, self._header, first, stop)

    def whole(self) -> AsyncGenerator[Bytes]:
        return self.part(0, self.length)

    def zipped(self) -> AsyncGenerator[Bytes]:
        """A ZIP with the array as its only member; its length is not known before."""
        return bodies.zipped(self._streams, self._volume, self._header)

    def gzipped(self) -> AsyncGenerator[Bytes]:
        return bodies.gzipped(self._streams, self._volume, self._header)


class StudyBody(NamedTuple):
    """A .npz of the series of a study that are volumes; `skipped` are the others."""

    length: int
    stream: AsyncGenerator[Bytes]
    skipped: list[Resource]


class Volumes:
    """Makes arrays; one per process, for its event loop. Where a resource is unknown
    UnknownResource is raised, for what else goes wrong see `Planner`."""

    def __init__(self, reads: Reads, pixels: Pixels, streams: Streams) -> None:
        self._read = reads
        self._pixels = pixels
        self._planner = Planner(pixels)
        self._streams = streams

    def ordered_slices(self, caller: Caller, public: bytes) -> Slices:
        """The order of the slices of a series. Raises as `order_slices`."""
        found = self._read(caller, lambda view: _series(view, public))
        ordered = order_slices(found.series, [each.instance for each in found.found])
        rows = [(each, frame_count(each, self._pixels)) for each in ordered.instances]
        return Slices(ordered.kind, rows)

    async def geometry(self, caller: Caller, public: bytes, selection: Selection) -> Geometry:
        """Where the volume of a series lies in the patient. Raises InexistentItem."""

        def work() -> Geometry:
            volume = self._volume(caller, public, Wanted(selection=selection))
            return geometry(volume, self._pixels)

        return await asyncio.to_thread(work)

    async def frame(self, caller: Caller, public: bytes, index: int, wanted: Wanted) -> ArrayBody:
        """One frame: (rows, columns, channels)."""

        def plan(found: Found) -> ArrayBody:
            volume = self._planner.frame(found, index, wanted.numbers)
            return ArrayBody(self._streams, volume, volume.header(is_frame=True))

        return await self._of_instance(caller, public, plan)

    async def instance(self, caller: Caller, public: bytes, wanted: Wanted) -> ArrayBody:
        """(frames, rows, columns, channels)"""

        def plan(found: Found) -> ArrayBody:
            volume = self._planner.instance(found, wanted.numbers, wanted.selection)
            return ArrayBody(self._streams, volume, volume.header())

        return await self._of_instance(caller, public, plan)

    async def series(self, caller: Caller, public: bytes, wanted: Wanted) -> ArrayBody:
        """(slices, rows, columns, channels), with the geometry where the files say it."""

        def work() -> ArrayBody:
            volume = self._volume(caller, public, wanted)
            try:
                place = geometry(volume, self._pixels, check=False)
            except InexistentItem:
                place = None
            return ArrayBody(self._streams, volume, volume.header(), place)

        return await asyncio.to_thread(work)

    async def nifti(self, caller: Caller, public: bytes, wanted: Wanted) -> ArrayBody:
        """A series as NIfTI-1. Raises InexistentItem where the files do not say where it lies."""

        def work() -> ArrayBody:
            volume = self._volume(caller, public, wanted)
            place = geometry(volume, self._pixels)
            header = nifti_header(place.Size, volume.dtype, volume.info.is_color, place.affine)
            return ArrayBody(self._streams, volume, header, place)

        return await asyncio.to_thread(work)

    async def study(self, caller: Caller, public: bytes, numbers: Numbers) -> StudyBody:
        """All series that are volumes, in the order of their identifiers. Raises the first reason
        where none is one."""

        def work() -> tuple[list[tuple[str, Volume]], list[Resource]]:
            named: list[tuple[str, Volume]] = []
            skipped: list[Resource] = []
            first: OrthancError = UnknownResource()
            for each in self._read(caller, lambda view: _study(view, public)):
                try:
                    volume = self._planner.series(_in_order(each), numbers)
                except OrthancError as error:
                    first = first if skipped else error
                    skipped.append(each.series)
                else:
                    named.append((f"{to_text(each.series.public)}.npy", volume))
            if not named:
                raise first
            return named, skipped

        named, skipped = await asyncio.to_thread(work)
        length = bodies.npz_length([(name, len(v.header()) + v.nbytes) for name, v in named])
        return StudyBody(length, bodies.npz(self._streams, named), skipped)

    async def _of_instance(
        self, caller: Caller, public: bytes, plan: Callable[[Found], Made]
    ) -> Made:
        """On the event loop where the index tells everything."""
        found = await self._read.run(self._read, caller, lambda view: _found(view, public))
        return await asyncio.to_thread(plan, found) if found.needs_file else plan(found)

    def _volume(self, caller: Caller, public: bytes, wanted: Wanted) -> Volume:
        found = self._read(caller, lambda view: _series(view, public))
        return self._planner.series(_in_order(found), wanted.numbers, wanted.selection)

    def close(self) -> None:
        self._streams.close()


class _Series(NamedTuple):
    series: Resource
    found: list[Found]


def _found(view: Snapshot, public: bytes) -> Found:
    instance = view.resource(Level.INSTANCE, public)
    if instance is None:
        raise UnknownResource
    return Found(instance, view.image(instance))


def _series(view: Snapshot, public: bytes) -> _Series:
    series = view.resource(Level.SERIES, public)
    if series is None:
        raise UnknownResource
    return _with_instances(view, [series])[0]


def _study(view: Snapshot, public: bytes) -> list[_Series]:
    study = view.resource(Level.STUDY, public)
    if study is None:
        raise UnknownResource
    found = view.resources(Level.SERIES, view.children(study))
    return _with_instances(view, [series for series in found if series is not None])


def _with_instances(view: Snapshot, series: list[Resource]) -> list[_Series]:
    """Everything that the index knows of the instances of all, in three questions."""
    children = [list(unpack(packed)) for packed in view.children_of(series)]
    publics = [public for each in children for public in each]
    instances = [each for each in view.resources(Level.INSTANCE, publics) if each is not None]
    images = view.images_of(instances)
    found = {
        instance.public: Found(instance, image)
        for instance, image in zip(instances, images, strict=True)
    }
    return [
        _Series(each, [found[public] for public in below if public in found])
        for each, below in zip(series, children, strict=True)
    ]


def _in_order(found: _Series) -> list[Found]:
    known = {each.instance.public: each for each in found.found}
    ordered = order_slices(found.series, [each.instance for each in found.found])
    return [known[instance.public] for instance in ordered.instances]
