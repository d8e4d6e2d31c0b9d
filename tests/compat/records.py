"""Records of Kafka as lines of text, and how two lists of them differ.

A line is the JSON of [topic, partition, key, value, headers]; bytes are their UTF-8 text, and
{"base64": …} where they are none. The order of a partition is kept; of topics there is none.

What the clock says differs by nature and is replaced: the times at which the connector handled a
change, and the id of its run. Where the two lists are not of the same server, so is what
its log says: LSN, transaction id and commit time (MARKS_OF_THE_LOG).
"""

import base64
import json
import re
import time

import confluent_kafka

CLOCK = [(re.compile(pattern), replacement) for pattern, replacement in (
    (rb'("op":"[crudt]"),"ts_ms":\d+,"ts_us":\d+,"ts_ns":\d+}$', rb'\1,"ts_ms":0,"ts_us":0,"ts_ns":0}'),
    (rb'^\{"op":"m","ts_ms":\d+', rb'{"op":"m","ts_ms":0'),
)]
# A message that is in no transaction has the connector's clock for its source, too.
CLOCK_OF_MESSAGE = re.compile(
    rb'("source":\{[^{}]*?)"ts_ms":\d+(,[^{}]*?)"ts_us":\d+,"ts_ns":\d+([^{}]*?"txId":null)')
SOURCE = re.compile(rb'("source":\{"version":"[^"]*","connector":"[^"]*","name":"[^"]*")(.*?"origin_lsn":'
                    rb'(?:null|\d+)\})')
LOG = [(re.compile(pattern), replacement) for pattern, replacement in (
    (rb'"ts_(ms|us|ns)":\d+', rb'"ts_\1":0'),
    (rb'"sequence":"\[(null|\\"\d+\\"),\\"\d+\\"\]"', rb'"sequence":"[0,0]"'),
    (rb'"(txId|lsn|xmin|origin_lsn)":\d+', rb'"\1":0'),
)]
TRANSACTION = [(re.compile(pattern), replacement) for pattern, replacement in (
    (rb'"id":"\d+:\d+"', rb'"id":"0:0"'),
    (rb'("data_collections":[^"]*(?:"[^"]*"[^"]*)*),"ts_ms":\d+}$', rb'\1,"ts_ms":0}'),
)]


def _without_clock(value):
    for pattern, replacement in CLOCK:
        value = pattern.sub(replacement, value)
    return CLOCK_OF_MESSAGE.sub(rb'\1"ts_ms":0\2"ts_us":0,"ts_ns":0\3', value)


def _without_log(value):
    def source(match):
        rest = match.group(2)
        for pattern, replacement in LOG:
            rest = pattern.sub(replacement, rest)
        return match.group(1) + rest
    value = SOURCE.sub(source, value)
    for pattern, replacement in TRANSACTION:
        value = pattern.sub(replacement, value)
    return value


def _text(data):
    if data is None:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def _header(name, value):
    if name == "__debezium.context.runId":
        return [name, "run"]
    return [name, _text(value)]


def line(message, log=True):
    """One record as a line; log: keep what the server's log says."""
    key, value = message.key(), message.value()
    if value is not None:
        value = _without_clock(value)
    if not log:
        key, value = (None if data is None else _without_log(data) for data in (key, value))
    return json.dumps([message.topic(), message.partition(), _text(key), _text(value),
                       [_header(*header) for header in message.headers() or []]],
                      ensure_ascii=False)


def without_log(text):
    """The same of a line that was made with it."""
    topic, partition, key, value, headers = json.loads(text)
    key, value = (_text(_without_log(part.encode())) if isinstance(part, str) else part
                  for part in (key, value))
    return json.dumps([topic, partition, key, value, headers], ensure_ascii=False)


def read(bootstrap, prefix, last, timeout=240, beside=()):
    """The messages of all topics that begin with prefix, up to the one whose value contains last;
    {(topic, partition): [message, ...]}."""
    reader = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": "compat",
                                       "enable.auto.commit": False, "log_level": 0,
                                       "isolation.level": "read_committed",
                                       "topic.metadata.refresh.interval.ms": 500})
    found, known, seen, deadline = {}, set(), False, time.monotonic() + timeout
    quiet = None
    while quiet is None or time.monotonic() < quiet:
        if time.monotonic() > deadline:
            raise RuntimeError("%s: the last record does not come" % prefix)
        topics = reader.list_topics(timeout=10).topics
        fresh = [(name, number) for name, topic in topics.items()
                 if name.startswith(prefix) or name in beside
                 for number in topic.partitions if (name, number) not in known]
        if fresh:
            known.update(fresh)
            reader.incremental_assign([confluent_kafka.TopicPartition(*one, 0) for one in fresh])
            quiet = quiet and time.monotonic() + 1.5
        messages = reader.consume(5000, 0.3) if known else []
        for message in messages:
            assert message.error() is None, message.error()
            found.setdefault((message.topic(), message.partition()), []).append(message)
            seen = seen or last in (message.value() or b"")
        if messages or (seen and quiet is None):
            quiet = time.monotonic() + 1.5 if seen else None
    reader.close()
    return found


_readers = {}


def count(bootstrap, topic):
    """How many records a topic holds."""
    if bootstrap not in _readers:
        _readers[bootstrap] = confluent_kafka.Consumer(
            {"bootstrap.servers": bootstrap, "group.id": "count", "log_level": 0})
    reader = _readers[bootstrap]
    known = reader.list_topics(timeout=10).topics.get(topic)
    if known is None:
        return 0
    try:
        return sum(reader.get_watermark_offsets(confluent_kafka.TopicPartition(topic, number),
                                                timeout=10)[1] for number in known.partitions)
    except confluent_kafka.KafkaException:
        return 0  # a topic that is being made


def lines(found, log=True):
    """In the order of topics, partitions and offsets."""
    return [line(message, log) for place in sorted(found) for message in found[place]]


def load(path):
    """The lines of a file that was recorded."""
    with open(path) as file:
        return file.read().split("\n")[:-1]


PARTS = ("topic", "partition", "key", "value", "headers")


def differences(wanted, got):
    """[(place, what differs, wanted, got)]; a place is (topic, partition, offset)."""
    out = []
    lists = {}
    for side, some in enumerate((wanted, got)):
        for text in some:
            record = json.loads(text)
            lists.setdefault((record[0], record[1]), ([], []))[side].append(record)
    for place in sorted(lists):
        ours, theirs = lists[place]
        for number in range(max(len(ours), len(theirs))):
            where = place + (number,)
            if number >= len(ours):
                out.append((where, "superfluous", None, theirs[number]))
            elif number >= len(theirs):
                out.append((where, "missing", ours[number], None))
            else:
                for part, one, other in zip(PARTS[2:], ours[number][2:], theirs[number][2:]):
                    if one != other:
                        out.append((where, part, one, other))
    return out
