"""A TCP proxy that misbehaves: between our processes and Redis or PostgreSQL. Modes can be changed while it runs."""

import contextlib
import os
import select
import socket
import struct
import threading
import time

PIECE = 65_536


class Proxy:
    """Listens on a loopback port (or a unix socket) and passes bytes on to `target`, as well as its mode allows.

    `mode`: pass · half_open (connections stay, nothing passes) · refuse (new ones are closed at once).
    `delay`: seconds before each piece; `slice`: bytes a piece at most; `most`: bytes until a connection is cut.
    """

    def __init__(self, target, *, listen=None):
        self.target = target
        self.mode, self.delay, self.slice, self.most = "pass", 0.0, PIECE, None
        self._pairs, self._lock, self._over = [], threading.Lock(), threading.Event()
        self._door = socket.socket(socket.AF_UNIX if listen else socket.AF_INET)
        self._door.bind(str(listen) if listen else ("127.0.0.1", 0))
        self._door.listen(128)
        self.port = None if listen else self._door.getsockname()[1]
        threading.Thread(target=self._take, daemon=True).start()

    def reset_all(self):
        """Cut every connection with a reset."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    if end.family == socket.AF_INET:
                        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    end.shutdown(socket.SHUT_RDWR)
                    end.close()
        return len(pairs)

    def close(self):
        self._over.set()
        self._door.close()
        self.reset_all()

    def _take(self):
        while not self._over.is_set():
            try:
                here, _ = self._door.accept()
            except OSError:
                return
            if self.mode == "refuse":
                here.close()
                continue
            threading.Thread(target=self._carry, args=(here,), daemon=True).start()

    def _carry(self, here):
        there = socket.socket(socket.AF_UNIX if isinstance(self.target, (str, os.PathLike)) else socket.AF_INET)
        try:
            there.connect(str(self.target) if there.family == socket.AF_UNIX else self.target)
        except OSError:
            here.close()
            return
        with self._lock:
            self._pairs.append((here, there))
        carried = 0
        with contextlib.suppress(OSError, ValueError):
            while not self._over.is_set() and not (self.most and carried > self.most):
                readable, _, _ = select.select([here, there], [], [], 0.5)
                if self.mode == "half_open":
                    time.sleep(0.05)
                    continue
                for end in readable:
                    carried += self._pass(end, there if end is here else here)
        for end in (here, there):
            with contextlib.suppress(OSError):
                end.close()

    def _pass(self, source, to):
        piece = source.recv(min(self.slice, PIECE))
        if not piece:
            raise OSError
        if self.delay:
            time.sleep(self.delay)
        to.sendall(piece)
        return len(piece)
