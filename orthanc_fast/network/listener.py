"""The shared ports of the DICOM workers: accepts connections and gives each that speaks a thread.

A connection that says nothing costs a descriptor and no thread: it waits here, and is closed after
30 seconds. (Orthanc lets one silent connection block all others for that time.)
"""

import contextlib
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from typing import cast

from orthanc_fast.log import Category, logger
from orthanc_fast.network.acceptor import Acceptor
from orthanc_fast.network.door import Door
from orthanc_fast.network.places import Places

_SILENCE = 30.0  # seconds until a connection must have spoken
_TICK = 1.0  # seconds between looks at silent connections and at `stop`
_BACK_OFF = 0.1  # seconds, when there are no descriptors left
_HANDSHAKE = 10.0  # seconds of a TLS handshake


class Listener:
    """Serves listening sockets, in the thread that calls `serve`."""

    def __init__(
        self,
        doors: Mapping[socket.socket, Door],
        places: Places,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`doors` says what is served to those who come by each of the sockets."""
        self._doors = doors
        self._places = places
        self._tls = tls
        self._selector = selectors.DefaultSelector()
        self._silent: dict[socket.socket, tuple[float, str, Door]] = {}
        self._associations: set[Acceptor] = set()
        self._threads: set[threading.Thread] = set()
        self._lock = threading.Lock()
        self._stopping = False
        self._serial = 0
        self._wake, self._waker = socket.socketpair()

    def serve(self) -> None:
        """Returns after `stop`."""
        for each in self._doors:
            each.setblocking(False)
            self._selector.register(each, selectors.EVENT_READ)
        self._selector.register(self._wake, selectors.EVENT_READ)
        swept = time.monotonic()
        try:
            while not self._stopping:
                for key, _ in self._selector.select(_TICK):
                    if key.fileobj is self._wake:
                        continue
                    ready = cast(socket.socket, key.fileobj)
                    if ready in self._doors:
                        self._accept(ready)
                    else:
                        self._speaks(ready)
                now = time.monotonic()
                if now - swept >= _TICK:
                    self._sweep(now)
                    swept = now
        finally:
            self._close()

    def stop(self) -> None:
        """Makes `serve` return; callable from a signal handler or another thread."""
        self._stopping = True
        with contextlib.suppress(OSError):
            self._waker.send(b"\0")

    def join(self, grace: float) -> None:
        """Ends the idle associations, the others when they become idle or after `grace` seconds."""
        deadline = time.monotonic() + grace
        while self._running():
            late = time.monotonic() >= deadline
            for association in self._running():
                if late or not association.busy:
                    association.channel.shut_down()
            if late:
                break
            time.sleep(0.02)
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join()

    @property
    def active(self) -> int:
        """How many associations are being served."""
        return len(self._associations)

    def _running(self) -> list[Acceptor]:
        with self._lock:
            return list(self._associations)

    def _accept(self, listening: socket.socket) -> None:
        try:
            connection, address = listening.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # another worker was faster, or the peer has gone
        except OSError as error:
            logger.error(Category.DICOM, f"cannot accept a connection: {error}")
            if self._silent:  # no descriptors left: the longest silence makes room
                self._forget(next(iter(self._silent)))
            else:
                time.sleep(_BACK_OFF)
            return
        connection.setblocking(False)
        ip = address[0].removeprefix("::ffff:")
        self._silent[connection] = (time.monotonic(), ip, self._doors[listening])
        self._selector.register(connection, selectors.EVENT_READ)

    def _speaks(self, connection: socket.socket) -> None:
        self._selector.unregister(connection)
        _, ip, door = self._silent.pop(connection)
        self._serial += 1
        thread = threading.Thread(
            target=self._run,
            args=(connection, ip, door),
            name=f"DICOM-{self._serial}",
            daemon=True,
        )
        with self._lock:
            self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError as error:  # no more threads
            logger.error(Category.DICOM, f"cannot serve a connection: {error}")
            with self._lock:
                self._threads.discard(thread)
            connection.close()

    def _sweep(self, now: float) -> None:
        for connection, (since, ip, _) in list(self._silent.items()):
            if now - since >= _SILENCE:
                logger.info(
                    Category.DICOM, f"Receiving Association failed: network read timeout (IP {ip})"
                )
                self._forget(connection)

    def _forget(self, connection: socket.socket) -> None:
        del self._silent[connection]
        self._selector.unregister(connection)
        connection.close()

    def _close(self) -> None:
        for connection in list(self._silent):
            self._forget(connection)
        self._selector.close()
        for each in self._doors:
            each.close()
        self._wake.close()
        self._waker.close()

    # In the thread of the association

    def _run(self, connection: socket.socket, ip: str, door: Door) -> None:
        try:
            secured = self._secure(connection, ip)
            if secured is None:
                return
            place = self._places.take()
            association = Acceptor(door, secured, ip, place is None)
            with self._lock:
                self._associations.add(association)
            try:
                association.run()
            except Exception as error:
                logger.error(Category.DICOM, f"unexpected fault in an association: {error!r}")
            finally:
                if place is not None:
                    self._places.give_back(place)
                with self._lock:
                    self._associations.discard(association)
        finally:
            with self._lock:
                self._threads.discard(threading.current_thread())

    def _secure(self, connection: socket.socket, ip: str) -> socket.socket | None:
        if self._tls is None:
            return connection
        connection.settimeout(_HANDSHAKE)
        try:
            return self._tls.wrap_socket(connection, server_side=True)
        except OSError as error:
            logger.error(Category.DICOM, f"TLS handshake with IP {ip} failed: {error}")
            connection.close()
            return None
