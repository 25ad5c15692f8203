"""Log levels, restart and shutdown. Source: reference chapter 1, section 10.2; chapter 4, section
11.1."""

from orthanc_fast.config import Settings
from orthanc_fast.errors import ParameterOutOfRange
from orthanc_fast.log import Category, Verbosity, logger
from orthanc_fast.model import Wish
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import PLAIN_JSON, Response, empty_response, text_response
from orthanc_fast.rest.router import Handler, Router
from orthanc_fast.rights import Right

FORBIDDEN = 403

LEVELS = {level.name.lower(): level for level in Verbosity}


def add_routes(router: Router, settings: Settings) -> None:
    for category in (None, *Category):
        path = "/tools/log-level"
        if category is not None:
            path += f"-{category.name.lower()}"
        router.add("GET", path, _get(category), answer="text/plain", needs=Right.ADMINISTRATE)
        router.add(
            "PUT",
            path,
            _put(category),
            body="text/plain",
            answer="text/plain",
            needs=Right.ADMINISTRATE,
        )
    router.add(
        "POST",
        "/tools/execute-script",
        _execute_script(settings),
        body="text/plain",
        answer="text/plain",
        needs=Right.ADMINISTRATE,
    )
    router.add(
        "POST", "/tools/reset", _ask("reset"), answer=dict[str, str], needs=Right.ADMINISTRATE
    )
    router.add(
        "POST", "/tools/shutdown", _ask("shutdown"), answer=dict[str, str], needs=Right.ADMINISTRATE
    )


def _get(category: Category | None) -> Handler:
    async def get_log_level(request: Request) -> Response:
        """The level of a category, or the most talkative one of all: default, verbose, trace."""
        return text_response(logger.level(category).name.lower())

    return get_log_level


def _put(category: Category | None) -> Handler:
    async def put_log_level(request: Request) -> Response:
        """Sets the level of a category, or of all, in every process at once: default, verbose,
        trace."""
        text = (await request.body()).decode("utf-8", "replace")
        level = LEVELS.get(text)
        if level is None:
            raise ParameterOutOfRange(
                f'Verbosity can be "default", "verbose" or "trace": {text[:100]}'
            )
        logger.set_level(level, category)
        return text_response()

    return put_log_level


def _execute_script(settings: Settings) -> Handler:
    enabled = settings.raw.get("ExecuteLuaEnabled", False)

    async def post_execute_script(request: Request) -> Response:
        """Runs a script in Lua, in the context of the callbacks, and answers with what it prints:
        forbidden unless `ExecuteLuaEnabled`."""
        calls = request.services.script_calls
        if not enabled or calls is None:
            return empty_response(FORBIDDEN)
        from orthanc_fast.services.scripts.questions import Callback

        source = await request.body()
        seconds = calls.options.event_timeout
        printed = await calls.ask_async("lua", Callback.EXECUTE, source, str, seconds)
        return text_response(printed)

    return post_execute_script


def _ask(wish: Wish) -> Handler:
    async def post_wish(request: Request) -> Response:
        """Restarts or stops the server; requests in work are completed. At a restart the
        configuration is read again, and what was set for the session only is forgotten."""
        request.services.ask(wish)
        return Response(b"{}", PLAIN_JSON)

    return post_wish
