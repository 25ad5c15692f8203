"""The texts of the page to log in, in the languages of the web interface."""

from typing import Final, NamedTuple


class LogInTexts(NamedTuple):
    log_in: str
    name: str
    password: str
    failed: str


DEFAULT_LANGUAGE: Final = "en"
TEXTS: Final[dict[str, LogInTexts]] = {
    "en": LogInTexts(
        "Log in",
        "Name",
        "Password",
        "This name and password are not known, or were tried too often: wait some minutes then.",
    ),
    "fr": LogInTexts(
        "Se connecter",
        "Nom",
        "Mot de passe",
        "Ce nom et ce mot de passe sont inconnus, ou ont été essayés trop souvent : "
        "attendez alors quelques minutes.",
    ),
    "de": LogInTexts(
        "Anmelden",
        "Name",
        "Passwort",
        "Dieser Name und dieses Passwort sind nicht bekannt oder wurden zu oft probiert: "
        "Warten Sie dann einige Minuten.",
    ),
    "es": LogInTexts(
        "Iniciar sesión",
        "Nombre",
        "Contraseña",
        "Este nombre y esta contraseña no se conocen, o se han probado demasiadas veces: "
        "espere entonces unos minutos.",
    ),
}


def chosen_language(accepted: str) -> str:
    """The one of `TEXTS` that a header Accept-Language likes best, by its weights and then by its
    order (RFC 9110, section 12.5.4); English where it names none of them."""
    best, most = DEFAULT_LANGUAGE, 0.0
    for each in accepted.split(","):
        tag, _, parameter = each.partition(";")
        language = tag.strip().lower().partition("-")[0]
        weight = _weight(parameter)
        if language in TEXTS and weight > most:
            best, most = language, weight
    return best


def _weight(parameter: str) -> float:
    """Of `q=0.5`; 1 without it, and 0 for what is no number."""
    name, _, value = parameter.partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return min(float(value), 1.0)
    except ValueError:
        return 0.0
