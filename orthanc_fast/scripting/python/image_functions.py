"""The functions that make and encode images. Source: reference chapter 7, section 3."""

from orthanc_fast._ext.scan import ScanError
from orthanc_fast.dicom.part10 import open_dicom
from orthanc_fast.errors import BadFileFormat
from orthanc_fast.imaging.image_files import decode_jpeg, decode_png
from orthanc_fast.imaging.picture_jpeg import picture_to_jpeg
from orthanc_fast.imaging.picture_png import picture_to_png
from orthanc_fast.scripting.python.arguments import takes
from orthanc_fast.scripting.python.enumerations import MEMBERS
from orthanc_fast.scripting.python.exceptions import (
    PARAMETER_OUT_OF_RANGE,
    failure,
    objects_only,
)
from orthanc_fast.scripting.python.images import Image, blank, from_buffer, of_array, to_picture
from orthanc_fast.services.pixels.pixels import open_image

_KINDS = MEMBERS["ImageFormat"]


class ImageFunctions:
    """Images that belong to no instance."""

    @takes("iii")
    def CreateImage(self, pixel_format: int, width: int, height: int) -> Image:
        with objects_only():
            return blank(pixel_format, width, height)

    @takes("iiiib")
    def CreateImageFromBuffer(
        self, pixel_format: int, width: int, height: int, pitch: int, data: bytes
    ) -> Image:
        return Image(pixel_format, from_buffer(pixel_format, width, height, pitch, data))

    @takes("bi")
    def UncompressImage(self, data: bytes, kind: int) -> Image:
        with objects_only():
            if kind == _KINDS["PNG"]:
                return of_array(decode_png(data))
            if kind == _KINDS["JPEG"]:
                return of_array(decode_jpeg(data))
            if kind == _KINDS["DICOM"]:
                return decoded_frame(data, 0)
            raise failure(PARAMETER_OUT_OF_RANGE)

    @takes("bi")
    def DecodeDicomImage(self, data: bytes, frame: int) -> Image:
        with objects_only():
            return decoded_frame(data, frame)

    @takes("iiiib")
    def CompressPngImage(
        self, pixel_format: int, width: int, height: int, pitch: int, data: bytes
    ) -> bytes:
        return png(pixel_format, width, height, pitch, data)

    @takes("iiiibi")
    def CompressJpegImage(
        self, pixel_format: int, width: int, height: int, pitch: int, data: bytes, quality: int
    ) -> bytes:
        return jpeg(pixel_format, width, height, pitch, data, quality)

    @takes()
    def GetFontsCount(self) -> int:
        return 0

    @takes("i")
    def GetFontName(self, index: int) -> None:
        return None

    @takes("i")
    def GetFontSize(self, index: int) -> int:
        return 0


def png(pixel_format: int, width: int, height: int, pitch: int, data: bytes) -> bytes:
    """A PNG image of pixels in a buffer."""
    pixels = from_buffer(pixel_format, width, height, pitch, data)
    return picture_to_png(to_picture(pixel_format, pixels))


def jpeg(
    pixel_format: int, width: int, height: int, pitch: int, data: bytes, quality: int
) -> bytes:
    """A JPEG image of pixels in a buffer. Raises OrthancException 3 for a quality that is none."""
    if not 1 <= quality <= 100:
        raise failure(PARAMETER_OUT_OF_RANGE)
    picture = to_picture(pixel_format, from_buffer(pixel_format, width, height, pitch, data))
    if picture.itemsize != 1:
        raise failure(23)
    return picture_to_jpeg(picture, quality)


def decoded_frame(data: bytes | memoryview, frame: int) -> Image:
    """A frame of a DICOM file. Raises OrthancError."""
    try:
        file = open_dicom(data)
    except ScanError as error:
        raise BadFileFormat(str(error)) from error
    with open_image(data, None, file.known_syntax, opened_file=file) as image:
        return of_array(image.decode(frame))
