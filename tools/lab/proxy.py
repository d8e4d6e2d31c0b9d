"""A TCP proxy between a client and a server that does harm on script.

Proxy is for any protocol: cut, refuse, black-hole (sockets stay open, nothing moves), slow down.
KafkaProxy also reads frames: it knows the API key of each request and, by correlation id, of each
response, so that a rule can drop the reply of an EndTxn or hold back a Produce. It puts its own
port in the place of the broker's in Metadata and FindCoordinator responses (host and port stand
side by side in every version of both), so that clients stay behind it and the broker needs no
listener of its own for it. Rules are counted; nothing here is random.
"""

import collections
import socket
import struct
import threading
import time

# Standby status update inside CopyData, from the client (PostgreSQL documentation, "Streaming
# Replication Protocol"): 'd', length, 'r', written, flushed and applied LSN, clock, reply wanted.
STATUS = struct.Struct(">cicqqqqb")

API_KEYS = {
    "Produce": 0, "Fetch": 1, "ListOffsets": 2, "Metadata": 3, "FindCoordinator": 10,
    "ApiVersions": 18, "CreateTopics": 19, "InitProducerId": 22, "AddPartitionsToTxn": 24,
    "AddOffsetsToTxn": 25, "EndTxn": 26, "DescribeConfigs": 32, "CreatePartitions": 37,
}
API_NAMES = {number: name for name, number in API_KEYS.items()}

# What a limited link carries in one go, and for how long it may have had nothing to do and makes up
# for it: a machine that lets the proxy wait does not make the link slower than it is said to be.
RATED_BYTES = 16384
RATED_SLACK_S = 0.5

REQUEST, RESPONSE = "request", "response"
DROP, CUT, DELAY, HOLD = "drop", "cut", "delay", "hold"


class Rule:
    """What happens to frames of one API in one direction.

    action: drop (the frame vanishes), cut (the connection is closed instead), delay (seconds) or
    hold (until release() is called; frames behind it on the connection wait too). skip: that many
    matching frames pass first; count: after that many hits the rule is used up (None: never).
    when: called with the frame, says whether it matches.
    """

    def __init__(self, api, direction, action, skip=0, count=1, seconds=0.0, when=None):
        self.api = API_KEYS[api]
        self.direction = direction
        self.action = action
        self.skip = skip
        self.count = count
        self.seconds = seconds
        self.when = when
        self.hits = 0
        self.hit = threading.Event()
        self.released = threading.Event()

    def release(self):
        self.released.set()


class Proxy:
    """Listens on 127.0.0.1:port (0: any) and forwards to target, "host:port" or a port."""

    def __init__(self, target, port=0):
        if isinstance(target, int):
            target = "127.0.0.1:%d" % target
        host, _, number = target.rpartition(":")
        self.target = (host, int(number))
        self.listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", port))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        self.address = "127.0.0.1:%d" % self.port
        self.lock = threading.Lock()
        self.pairs = set()
        self.flowing = threading.Event()
        self.flowing.set()
        self.refusing = False
        self.closed = False
        self.bytes_up = 0    # from the client
        self.bytes_down = 0  # to the client
        self.connections = 0
        self.slow_chunk = None  # (bytes, seconds): so many, then that pause, in each direction
        self.rate = None        # bytes a second, of all connections and both directions together
        self._free_at = 0.0     # when what was let through by that is through
        threading.Thread(target=self._accept, name="proxy-accept", daemon=True).start()

    # ---- the script's side ----

    def cut(self):
        """Close every connection there is, with a reset; new ones are accepted. How many it were."""
        with self.lock:
            pairs, self.pairs = self.pairs, set()
        for pair in pairs:
            for sock in pair:
                _reset(sock)
        return len(pairs)

    def refuse(self):
        """The server is away: connections are cut, new ones refused, until accept()."""
        self.refusing = True
        self.cut()

    def accept(self):
        self.refusing = False

    def black_hole(self):
        """Nothing moves any more in either direction; sockets stay open, new ones are accepted."""
        self.flowing.clear()

    def flow(self):
        self.flowing.set()

    def close(self):
        self.closed = True
        self.flowing.set()
        self.listener.close()
        self.cut()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- the wire's side ----

    def _accept(self):
        while not self.closed:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.refusing:
                _reset(client)
                continue
            threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client):
        try:
            server = socket.create_connection(self.target, timeout=10)
        except OSError:
            _reset(client)
            return
        server.settimeout(None)
        for sock in (client, server):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pair = (client, server)
        with self.lock:
            self.pairs.add(pair)
            self.connections += 1
        state = self._connection_state()
        for source, sink, direction in ((client, server, REQUEST), (server, client, RESPONSE)):
            threading.Thread(target=self._pump, args=(pair, source, sink, direction, state),
                             daemon=True).start()

    def _pump(self, pair, source, sink, direction, state):
        try:
            while True:
                data = source.recv(65536)
                self.flowing.wait()
                if not data:
                    break
                if direction == REQUEST:
                    self.bytes_up += len(data)
                else:
                    self.bytes_down += len(data)
                if not self._forward(data, sink, direction, state):
                    break
        except OSError:
            pass
        self._end(pair)

    def _end(self, pair):
        with self.lock:
            self.pairs.discard(pair)
        for sock in pair:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()

    def _send(self, sink, data):
        self.flowing.wait()
        while self.rate and data:
            self._take_turn(min(len(data), RATED_BYTES))
            sink.sendall(data[:RATED_BYTES])
            data = data[RATED_BYTES:]
        while self.slow_chunk and data:
            size, pause = self.slow_chunk
            sink.sendall(data[:size])
            data = data[size:]
            time.sleep(pause)
        sink.sendall(data)

    def _take_turn(self, size):
        """Wait until the link has carried what went before, and these bytes."""
        with self.lock:
            now = time.monotonic()
            self._free_at = max(self._free_at, now - RATED_SLACK_S) + size / self.rate
            wait = self._free_at - now
        time.sleep(max(wait, 0))

    def _connection_state(self):
        return None

    def _forward(self, data, sink, direction, state):
        """Pass data on; False ends the connection."""
        self._send(sink, data)
        return True


class KafkaProxy(Proxy):
    """Proxy with rules on frames. seen counts requests by API name."""

    def __init__(self, target, port=0):
        self.rules = []
        self.seen = collections.Counter()
        super().__init__(target, port)
        host = self.target[0].encode()
        self.broker_end = host + struct.pack(">i", self.target[1])
        self.own_end = b"127.0.0.1" + struct.pack(">i", self.port)
        if len(self.broker_end) != len(self.own_end):
            raise ValueError("the broker must be 127.0.0.1")

    def rule(self, *args, **kwargs):
        """Add a Rule (same arguments); rules are tried in the order in which they were added."""
        rule = Rule(*args, **kwargs)
        with self.lock:
            self.rules.append(rule)
        return rule

    def clear(self):
        with self.lock:
            rules, self.rules = self.rules, []
        for rule in rules:
            rule.release()

    def _connection_state(self):
        # Bytes not yet a whole frame, for each direction; correlation id -> API key.
        return {REQUEST: bytearray(), RESPONSE: bytearray(), "asked": {}}

    def _forward(self, data, sink, direction, state):
        rest = state[direction]
        rest += data
        out = bytearray()
        while len(rest) >= 4:
            length = struct.unpack_from(">i", rest)[0]
            if len(rest) < 4 + length:
                break
            frame = bytes(rest[:4 + length])
            del rest[:4 + length]
            api = self._api(frame, direction, state)
            rule = self._match(api, direction, frame)
            if rule is None:
                out += self._rewrite(frame, api, direction)
                continue
            if out:
                self._send(sink, bytes(out))
                out.clear()
            rule.hit.set()
            if rule.action == DROP:
                continue
            if rule.action == CUT:
                return False
            if rule.action == DELAY:
                time.sleep(rule.seconds)
            else:
                rule.released.wait()
            out += self._rewrite(frame, api, direction)
        if out:
            self._send(sink, bytes(out))
        return True

    def _api(self, frame, direction, state):
        if direction == REQUEST:
            api, _, correlation = struct.unpack_from(">hhi", frame, 4)
            state["asked"][correlation] = api
            self.seen[API_NAMES.get(api, str(api))] += 1
            return api
        return state["asked"].pop(struct.unpack_from(">i", frame, 4)[0], None)

    def _match(self, api, direction, frame):
        with self.lock:
            for rule in self.rules:
                if rule.api != api or rule.direction != direction:
                    continue
                if rule.count is not None and rule.hits >= rule.count:
                    continue
                if rule.when is not None and not rule.when(frame):
                    continue
                if rule.skip > 0:
                    rule.skip -= 1
                    continue
                rule.hits += 1
                return rule
        return None

    def _rewrite(self, frame, api, direction):
        if direction == RESPONSE and api in (API_KEYS["Metadata"], API_KEYS["FindCoordinator"]):
            return frame.replace(self.broker_end, self.own_end)
        return frame


class PostgresProxy(Proxy):
    """Proxy that notes what a replication client confirms: statuses is a list of (monotonic time,
    flushed LSN). Not for connections under TLS."""

    def __init__(self, target, port=0):
        self.statuses = []
        super().__init__(target, port)

    def _connection_state(self):
        return {"rest": bytearray(), "started": False}

    def _forward(self, data, sink, direction, state):
        if direction == REQUEST:
            self._note(data, state)
        return super()._forward(data, sink, direction, state)

    def _note(self, data, state):
        rest = state["rest"]
        rest += data
        while True:
            if not state["started"]:  # the start-up packets have no type byte
                if len(rest) < 8:
                    return
                length, code = struct.unpack_from(">ii", rest)
                state["started"] = code >> 16 == 3
            else:
                if len(rest) < 5:
                    return
                length = 1 + struct.unpack_from(">i", rest, 1)[0]
            if len(rest) < length:
                return
            if state["started"] and length == STATUS.size and rest[0:1] == b"d" and \
                    rest[5:6] == b"r":
                self.statuses.append((time.monotonic(), STATUS.unpack_from(rest)[4]))
            del rest[:length]


def _reset(sock):
    """Close with RST, so that the peer notices at once whatever it was doing."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except OSError:
        pass
    try:
        sock.shutdown(socket.SHUT_RDWR)  # wakes a thread in recv()
    except OSError:
        pass
    sock.close()
