"""The expected number of instances of a series, from the main tags of its first instance.

Source: reference chapter 1, section 4.3.
"""

from orthanc_fast.numerals import MAX_INT64, integer

IMAGES_IN_ACQUISITION = 0x00201002
NUMBER_OF_TEMPORAL_POSITIONS = 0x00200105
NUMBER_OF_SLICES = 0x00540081
NUMBER_OF_TIME_SLICES = 0x00540101
CARDIAC_NUMBER_OF_IMAGES = 0x00181090

_PRODUCTS = (
    (IMAGES_IN_ACQUISITION, NUMBER_OF_TEMPORAL_POSITIONS),
    (NUMBER_OF_SLICES, NUMBER_OF_TIME_SLICES),
    (CARDIAC_NUMBER_OF_IMAGES,),
)


def expected_instances(tags: dict[int, str]) -> int | None:
    """The first product whose factors are all there and are integers, if it is positive."""
    for factors in _PRODUCTS:
        if factors[0] in tags and factors[-1] in tags:  # there are one or two
            product = 1
            for tag in factors:
                factor = integer(tags[tag])
                if factor is None:
                    return None
                product *= factor
            return product if 0 < product <= MAX_INT64 else None
    return None
