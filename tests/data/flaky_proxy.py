"""A TCP proxy that drops connections in the middle of an answer."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class FlakyProxy:
    """Passes bytes between its port and another one of this machine.

    Attributes:
        port: that it listens on.
        drops: so many of the next large answers are cut off after `after` bytes.
        dropped: answers that were cut off.
    """

    def __init__(self, upstream: int, *, after: int) -> None:
        self.upstream, self.after, self.drops, self.dropped = upstream, after, 0, 0
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """No new connections."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client, socket.create_connection(("127.0.0.1", self.upstream)) as server:
            threading.Thread(target=self._pass_on, args=(client, server), daemon=True).start()
            passed = 0
            while content := server.recv(4096):
                passed += len(content)
                if passed > self.after and self._may_drop():
                    client.shutdown(socket.SHUT_RDWR)  # a thread that reads from it would keep it open
                    return
                client.sendall(content)

    def _may_drop(self) -> bool:
        with self._lock:
            if self.drops <= 0:
                return False
            self.drops -= 1
            self.dropped += 1
            return True

    @staticmethod
    def _pass_on(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while content := source.recv(4096):
                sink.sendall(content)
            sink.shutdown(socket.SHUT_WR)
