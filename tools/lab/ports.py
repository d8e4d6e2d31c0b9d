"""Free loopback ports.

They are taken from below the kernel's ephemeral range (32768 and up), so that no outgoing
connection can take one between the moment it is chosen and the moment a server binds it.
"""

import random
import socket
import threading

LOW, HIGH = 15000, 32000

_given = set()
_lock = threading.Lock()
_random = random.SystemRandom()


def _is_free(port):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port():
    """A port of 127.0.0.1 that nobody listens on and that this process has not given out yet."""
    with _lock:
        for _ in range(1000):
            port = _random.randrange(LOW, HIGH)
            if port not in _given and _is_free(port):
                _given.add(port)
                return port
    raise RuntimeError("no free port on 127.0.0.1 between %d and %d" % (LOW, HIGH))


def preferred(port):
    """That one, where nobody listens on it, else any other."""
    with _lock:
        if port not in _given and _is_free(port):
            _given.add(port)
            return port
    return free_port()
