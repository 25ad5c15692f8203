"""The process that brings what was stored under other settings to those in force."""

import asyncio
import os
import signal
import traceback
from collections.abc import Callable
from typing import Final

import uvloop

from orthanc_fast.config import Settings
from orthanc_fast.log import Category, logger
from orthanc_fast.services.administration.housekeeper import Housekeeper
from orthanc_fast.services.processes.resources import ResourceServices

NICENESS = 10  # what answers clients goes first
_PAUSE: Final = 5.0  # seconds after a fault


def run(settings: Settings, slot: str, ready: Callable[[], None]) -> None:
    """Keeps the house until SIGTERM; the study at hand is done again then. `ready` is called when
    it is at work."""
    os.nice(NICENESS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        services = ResourceServices(settings, slot, runner.get_loop())
        try:
            runner.run(_serve(services.housekeeper, ready))
        finally:
            services.close()


async def _serve(keeper: Housekeeper, ready: Callable[[], None]) -> None:
    work = asyncio.create_task(_keep_house(keeper))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.cancel)
    ready()
    await asyncio.wait([work])


async def _keep_house(keeper: Housekeeper) -> None:
    """Runs until it is cancelled; a fault of ours must not end it for good."""
    while True:
        try:
            await keeper.run()
        except Exception as error:
            text = "".join(traceback.format_exception(error)).rstrip()
            logger.error(Category.PLUGINS, f"The housekeeper begins anew: {text}")
            await asyncio.sleep(_PAUSE)
