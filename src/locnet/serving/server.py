"""`python -m locnet.serve`: the process around the application, from its socket to its end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import suppress
from types import FrameType

import uvicorn

from locnet.config.app import Job, JobResult
from locnet.config.check import check
from locnet.config.schema import ServeSettings
from locnet.errors import ConfigError
from locnet.heap import keep_all
from locnet.inference.localizer import Localizer
from locnet.runtime.checkpoints import find_checkpoint
from locnet.runtime.quiet import quiet
from locnet.serving.app import build_app
from locnet.serving.service import Bounds, Service

log = logging.getLogger(__name__)

KEY = "LOCNET_API_KEY"

_LAST_REQUESTS = 3.0  # seconds at most for those who are connected to send what they have to say, on a busy machine too


@quiet()
def serve(job: Job) -> JobResult:
    """Answer requests until a signal comes, and then those that are in the house.

    Raises:
        LocnetError: the checkpoint cannot be used, or the port is taken.
    """
    keep_all()
    settings = check(job.config, ServeSettings)
    with suppress(OSError):
        job.run_dir.rmdir()  # Hydra has made it, and nothing is written
    checkpoint = find_checkpoint(settings.checkpoint, cache=settings.paths.cache)
    localizer = Localizer.load(checkpoint, device=settings.device, threshold=settings.threshold)
    margin = localizer.margin(settings.coverage) if settings.coverage is not None else None
    place = _bind(settings.host, settings.port)
    service = Service(localizer, bounds_of(settings), margin=margin, key=os.environ.get(KEY, ""))
    host, port = place.getsockname()[:2]
    log.info("serving        http://%s:%d: POST /predict, and /docs for the rest", host, port)
    if not os.environ.get(KEY) and not host.startswith("127."):
        log.warning("%s is not set: whoever reaches this port is answered", KEY)
    DrainingServer(service, settings).run(sockets=[place])
    log.info("served         all requests that had come")
    return JobResult()


def bounds_of(settings: ServeSettings) -> Bounds:
    """The settings in the units of the service."""
    return Bounds(
        batch=settings.max_batch,
        patience=settings.max_wait_ms / 1000,
        images=settings.max_waiting,
        request_images=min(settings.max_images, settings.max_waiting),
        body=round(settings.max_body_mb * 2**20),
        pixels=round(settings.max_megapixels * 1e6),
        seconds=settings.timeout,
    )


class DrainingServer(uvicorn.Server):
    """At SIGTERM or SIGINT: says so at /readyz and closes connections after their answer, then ends.

    New requests are still answered for `drain` seconds, the time that a load balancer needs to look elsewhere. After it
    nobody is let in, and what is in the house is answered. A second signal ends the process at once.
    """

    def __init__(self, service: Service, settings: ServeSettings) -> None:
        self.service, self.drain = service, settings.drain
        super().__init__(
            uvicorn.Config(
                build_app(service),
                log_config=None,
                access_log=False,
                server_header=False,
                ws="none",
                limit_concurrency=settings.max_connections,
                timeout_keep_alive=5,
                timeout_graceful_shutdown=round(settings.timeout) + 1,
            )
        )
        logging.getLogger("uvicorn").setLevel(logging.WARNING)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """What the first and the second signal do; uvicorn's own way would also end the process by the signal."""
        if self.service.draining:
            self.should_exit = self.force_exit = True
            return
        self.service.draining = True
        log.info("ending         %s has come; answering what is in the house", signal.Signals(sig).name)
        asyncio.get_running_loop().call_soon_threadsafe(self._close_later)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let nobody in any more, without slamming the door on those who stand in it.

        Closing a socket resets connections that the kernel has made and nobody has accepted, and uvicorn closes those
        that have not sent their request yet (0.54, `shutdown`); both were told that they are connected.
        """
        late = [connection for place in sockets or [] for connection in _at_the_door(place)]
        for server in self.servers:
            server.close()
        loop = asyncio.get_running_loop()
        for connection in late:
            await loop.connect_accepted_socket(self._protocol, connection)
        end = loop.time() + _LAST_REQUESTS
        while self.server_state.connections and loop.time() < end:  # each is closed after its answer
            await asyncio.sleep(0.02)
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made

    def _close_later(self) -> None:
        asyncio.get_running_loop().call_later(self.drain, setattr, self, "should_exit", True)


def _at_the_door(place: socket.socket) -> Iterator[socket.socket]:
    """Connections that wait to be accepted."""
    with suppress(OSError):  # BlockingIOError: there are no more
        while True:
            connection, _ = place.accept()
            connection.setblocking(False)
            yield connection


def _bind(host: str, port: int) -> socket.socket:
    """A socket that listens from now on.

    Raises:
        ConfigError: the address is not this machine's, or taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    place = socket.socket(family, socket.SOCK_STREAM)
    try:
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        place.bind((host, port))
    except (OSError, OverflowError) as error:
        place.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"host={host} port={port}: cannot listen there ({reason}); choose another") from error
    return place
