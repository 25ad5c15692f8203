"""Imports go down the rooms only (docs/architecture.md), and some libraries are known to one
room."""

import tomllib
from pathlib import Path

import pytest
from support.imports import cycles, imports, modules_of

import orthanc_fast

PACKAGE = Path(orthanc_fast.__file__).parent

GROUND = {
    "config",
    "config_audit",
    "config_environment",
    "config_file",
    "config_options",
    "config_plugins",
    "config_viewers",
    "config_routing",
    "config_scrubber",
    "config_sections",
    "config_users",
    "character_sets",
    "error_codes",
    "errors",
    "implementation",
    "log",
    "media_types",
    "model",
    "multipart",
    "numerals",
    "registries",
    "rights",
    "transfer_syntaxes",
    "_ext",
}
KNOWLEDGE = {
    *("index", "storage", "imaging", "dicom", "upper_layer", "runtime", "orthanc_store"),
}
DOORS = {"rest", "network", "client"}
SCRIPTING = {"scripting"}
WIRING = {
    *("cli", "server", "https", "service_manager", "presence", "supervisor", "worker"),
    "fork_server",
    "granian_worker",
}

# Doors know services, not what keeps the data.
BEHIND_DOORS = KNOWLEDGE - {"index", "storage", "orthanc_store"}

ALLOWED = {
    **dict.fromkeys(GROUND, GROUND),
    **{room: {room} | GROUND for room in KNOWLEDGE},
    "services": {"services"} | KNOWLEDGE | GROUND,
    **{room: {room, "services"} | BEHIND_DOORS | GROUND for room in DOORS},
    "scripting": {"scripting", "rest", "services"} | BEHIND_DOORS | GROUND,
    **dict.fromkeys(WIRING, WIRING | DOORS | SCRIPTING | BEHIND_DOORS | GROUND | {"services"}),
}
# The subjects of services, each with those below it that it may use.
SUBJECTS = {
    "store": set[str](),
    "audit": {"store"},
    "jobs": {"store"},
    "key_values": {"store"},
    "scp": {"store"},
    "retention": {"store"},
    "attachments": {"store", "retention"},
    "browse": {"store", "attachments"},
    "exchange": {"store", "jobs", "browse"},
    "find": {"store", "browse"},
    "pixels": {"store", "attachments"},
    "transcoding": {"attachments", "pixels"},
    "ingest": {"store", "retention", "attachments", "transcoding"},
    "volumes": {"store", "attachments", "pixels"},
    "archive": {"store", "jobs", "attachments", "transcoding"},
    "administration": {
        *("store", "jobs", "key_values", "retention", "attachments", "browse", "ingest"),
    },
    "upkeep": {
        *("store", "key_values", "retention", "attachments", "browse", "ingest", "administration"),
    },
    "modification": {
        *("store", "jobs", "retention", "attachments", "browse", "pixels", "transcoding"),
        *("ingest", "administration"),
    },
    "creation": {"store", "retention", "attachments", "ingest", "modification"},
    "scu": {
        *("store", "jobs", "scp", "attachments", "browse", "exchange", "find"),
        *("transcoding", "ingest"),
    },
    "query_retrieve": {
        *("store", "jobs", "scp", "browse", "exchange", "find", "transcoding", "modification"),
        "scu",
    },
    "storage_commitment": {"store", "jobs", "retention", "browse", "exchange", "scu"},
    "peers": {"store", "jobs", "attachments", "browse", "exchange", "transcoding"},
    "dicom_web": {
        *("store", "attachments", "browse", "find", "pixels", "transcoding", "ingest", "archive"),
        *("retention", "jobs"),
    },
    "users": {"store"},
    "viewers": set(),
    "worklists": {"store", "find", "query_retrieve", "creation"},
    "dicom_web_client": {"store", "jobs", "attachments", "browse", "exchange", "ingest", "peers"},
    "scripts": {
        *("store", "jobs", "attachments", "exchange", "find", "ingest", "query_retrieve"),
        *("storage_commitment", "worklists"),
    },
    "routing": {
        *("store", "attachments", "browse", "exchange", "find", "transcoding", "modification"),
        *("scu", "peers", "dicom_web_client"),
    },
    "moving": {
        *("store", "jobs", "key_values", "retention", "attachments", "exchange", "administration"),
        *("modification", "peers", "users", "worklists", "dicom_web_client", "routing"),
    },
    "webdav": {"store", "retention", "attachments", "browse", "ingest"},
}
# What joins the subjects: it opens what each kind of process needs.
ABOVE_SUBJECTS = {"processes"}
# Rooms whose modules stand in an order, from the lowest up.
ORDERS = {
    "index": (
        "packed",
        "terms",
        "series_status",
        "contract",
        "conformance",
        "rules",
        "rules.tables",
        "rules.records",
        "rules.recycling",
        "rules.terms",
        "rules.transaction",
        "memory",
        "memory.state",
        "memory.tables",
        "memory.snapshot",
        "memory.index",
        "lmdb",
        "lmdb.keys",
        "lmdb.records",
        "lmdb.disk",
        "lmdb.locks",
        "lmdb.pace",
        "lmdb.columns",
        "lmdb.environment",
        "lmdb.faults",
        "lmdb.properties",
        "lmdb.search",
        "lmdb.tables",
        "lmdb.snapshot",
        "lmdb.migrations",
        "lmdb.checkpoint",
        "lmdb.ring",
        "lmdb.journal",
        "lmdb.copying",
        "lmdb.durability",
        "lmdb.commit",
        "lmdb.writer",
        "lmdb.bulk",
        "lmdb.index",
    ),
    "services.find": (
        "options",
        "matching",
        "other_matchers",
        "query",
        "facts",
        "computed",
        "requested",
        "content",
        "order_values",
        "ordering",
        "planner",
        "parts",
        "finder",
        "pages",
    ),
    "services.browse": (
        "describe",
        "metadata_names",
        "resources",
        "instance_tags",
        "labels",
        "metadata",
        "change_feed",
        "change_log",
        "exports",
    ),
}
# Rooms, or modules, that alone may import a library.
KEEPERS = {
    "lmdb": {"index", "runtime"},
    "granian": {"granian_worker"},
    "uvloop": {"granian_worker", "services"},
    "pynetdicom": {"upper_layer"},
    "imagecodecs": {"imaging"},
    "click": {"cli"},
    "lupa": {"scripting"},
    "pg8000": {"orthanc_store"},
}

MODULES = sorted(PACKAGE.rglob("*.py"))
NAMES = modules_of(PACKAGE)


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_the_wheel_holds_every_package() -> None:
    """setuptools is told their names one by one; an editable installation would not miss any."""
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())
    folders = {path.parent.relative_to(PACKAGE.parent) for path in PACKAGE.rglob("__init__.py")}
    packages = {".".join(folder.parts) for folder in folders}
    assert set(project["tool"]["setuptools"]["packages"]) == packages


def test_the_rooms_are_known() -> None:
    rooms = {room_of(path) for path in MODULES} - {"__init__"}
    assert rooms <= set(ALLOWED), rooms - set(ALLOWED)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    room = room_of(path)
    if room == "__init__":
        assert imports(path, NAMES) == set()
        return
    for name in imports(path, NAMES):
        library, _, rest = name.partition(".")
        if library == "orthanc_fast":
            imported = rest.partition(".")[0]
            if imported:  # else it is the version
                assert imported in ALLOWED[room], f"{room} imports {name}"
        elif library in KEEPERS:
            assert room in KEEPERS[library], f"{name} belongs to {KEEPERS[library]}"


def test_the_index_is_known_by_its_contract() -> None:
    """What keeps it is known to who opens it alone."""
    rooms = ("orthanc_fast.index.lmdb", "orthanc_fast.index.memory")
    known = {
        name
        for name, path in NAMES.items()
        if not name.startswith(rooms)
        and any(imported.startswith(rooms) for imported in imports(path, NAMES))
    }
    assert known == {"orthanc_fast.services.store.opening"}


def test_the_storage_is_known_by_its_contract() -> None:
    """What keeps it is known to who opens it, and to what opens each kind of process."""
    rooms = ("orthanc_fast.storage.files", "orthanc_fast.storage.memory")
    known = {
        name
        for name, path in NAMES.items()
        if not name.startswith((*rooms, "orthanc_fast.services.processes."))
        and any(imported.startswith(rooms) for imported in imports(path, NAMES))
    }
    assert known == {"orthanc_fast.services.store.opening"}


def test_imports_have_no_cycles() -> None:
    """Neither those in functions nor those for type checking."""
    graph = {name: imports(path, NAMES) & NAMES.keys() for name, path in NAMES.items()}
    assert list(cycles(graph)) == []


def test_subjects_have_an_order() -> None:
    done: set[str] = set()
    for subject, below in SUBJECTS.items():
        assert below <= done, subject
        done.add(subject)
    folders = {path.parent.name for path in PACKAGE.glob("services/*/__init__.py")}
    assert folders - ABOVE_SUBJECTS == done


@pytest.mark.parametrize("subject", SUBJECTS)
def test_subjects_use_what_is_below(subject: str) -> None:
    for name, path in NAMES.items():
        if name.startswith(f"orthanc_fast.services.{subject}."):
            used = {
                imported.split(".")[2]
                for imported in imports(path, NAMES)
                if imported.startswith("orthanc_fast.services.")
            }
            assert used <= SUBJECTS[subject] | {subject}, name


@pytest.mark.parametrize("room", ORDERS)
def test_modules_use_what_is_below(room: str) -> None:
    prefix = f"orthanc_fast.{room}."
    order = [prefix + name for name in ORDERS[room]]
    assert {name for name in NAMES if name.startswith(prefix)} == set(order)
    for number, name in enumerate(order):
        above = imports(NAMES[name], NAMES) & set(order[number + 1 :])
        assert not above, f"{name} imports {above}"
