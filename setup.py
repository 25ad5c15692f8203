"""Builds the Cython extensions of `_ext/` as `orthanc_fast._ext.<name>`.

Environment: ONLY=scan,png builds just these; DEBUG=1 keeps symbols and assertions; SANITIZE=1
compiles with AddressSanitizer; COVERAGE=1 adds line tracing; ABI3=0 gives up the limited API.
"""

import os
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

SOURCES = Path("_ext")
DEBUG = os.environ.get("DEBUG") == "1"
SANITIZE = os.environ.get("SANITIZE") == "1"
COVERAGE = os.environ.get("COVERAGE") == "1"
ABI3 = os.environ.get("ABI3", "1") == "1" and not COVERAGE

compile_args = ["-O1", "-g"] if DEBUG or SANITIZE else ["-O3", "-fno-strict-aliasing"]
# A multiplication and an addition are rounded twice on every machine, as pictures are specified.
compile_args += ["-ffp-contract=off"]
# As Debian's own Python demands, so that what fails there fails everywhere.
compile_args += ["-Wformat", "-Werror=format-security"]
link_args: list[str] = []
macros: list[tuple[str, str | None]] = []
if SANITIZE:
    compile_args += ["-fsanitize=address", "-fno-omit-frame-pointer"]
    link_args += ["-fsanitize=address"]
if COVERAGE:
    macros.append(("CYTHON_TRACE_NOGIL", "1"))
if ABI3:
    macros.append(("Py_LIMITED_API", "0x030B0000"))

only = {name for name in os.environ.get("ONLY", "").split(",") if name}
extensions = [
    Extension(
        f"orthanc_fast._ext.{source.stem}",
        [str(source)],
        extra_compile_args=compile_args,
        extra_link_args=link_args,
        define_macros=macros,
        py_limited_api=ABI3,
    )
    for source in sorted(SOURCES.glob("*.pyx"))
    if not only or source.stem in only
]

setup(
    ext_modules=cythonize(
        extensions,
        build_dir="build/cython",
        include_path=["_ext"],
        compiler_directives={
            "language_level": 3,
            "boundscheck": False,
            "wraparound": False,
            "cdivision": True,
            "initializedcheck": False,
            "embedsignature": False,
            "linetrace": COVERAGE,
        },
    ),
    options={
        "build_ext": {"parallel": os.cpu_count()},
        **({"bdist_wheel": {"py_limited_api": "cp311"}} if ABI3 else {}),
    },
    script_args=sys.argv[1:],
)
