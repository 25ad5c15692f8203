"""Rules and destinations before anything is routed: what cannot work is told with its name."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

from orthanc_fast.config_routing import Routing
from orthanc_fast.errors import BadFileFormat, OrthancError
from orthanc_fast.log import Category, logger
from orthanc_fast.services.find.finder import Finder
from orthanc_fast.services.routing.alterations import Alteration, Alterations
from orthanc_fast.services.routing.conditions import Conditions
from orthanc_fast.services.store.reads import Reads

T = TypeVar("T")


def checked_conditions(routing: Routing, reads: Reads, finder: Finder) -> list[Conditions]:
    """Those of all rules. Raises BadFileFormat that names the rule."""
    return [
        _named(name, partial(Conditions, name, rule, reads, finder))
        for name, rule in routing.rules.items()
    ]


def checked_alterations(routing: Routing, alterations: Alterations) -> dict[str, Alteration]:
    """Those of all rules. Raises BadFileFormat that names the rule."""
    return {
        name: _named(name, partial(alterations.of, name, rule))
        for name, rule in routing.rules.items()
    }


def usable(routing: Routing, reads: Reads, finder: Finder, alterations: Alterations) -> Routing:
    """Without rules that mean nothing, as those may that were added before an option changed."""
    rules = {}
    for name, rule in routing.rules.items():
        try:
            Conditions(name, rule, reads, finder)
            alterations.of(name, rule)
        except OrthancError as error:
            text = f"Routing: rule {name!r} is left out: {error.details or error.text}"
            logger.error(Category.GENERIC, text)
        else:
            rules[name] = rule
    return Routing(routing.destinations, rules, routing.here)


def check_servers(routing: Routing, field: str, known: Iterable[str]) -> None:
    """Destinations of one kind must be in the configuration. Raises BadFileFormat."""
    names = set(known)
    for name, each in routing.destinations.items():
        if each.kind == field and each.target not in names:
            raise BadFileFormat(
                f"Routing: destination {name!r}: {field}: there is no {each.target!r}"
            )


def _named(name: str, make: Callable[[], T]) -> T:
    try:
        return make()
    except OrthancError as error:
        text = error.details or error.text
        raise BadFileFormat(f"Routing: rule {name!r}: {text}") from error
