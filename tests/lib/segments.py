"""What a broker has on disk for a partition: data, and the control records between.

Two readers give the same answer. read_python() parses record batches of version 2 itself (Kafka
documentation, "Message Format"); it is fast and sees headers. read_dump() asks Kafka's own
kafka.tools.DumpLogSegments, one JVM for all files. tests/e2e/000 holds the one against the other.
Neither knows what an event is: that is the oracle's.
"""

import collections
import glob
import gzip
import os
import re
import struct

COMMIT, ABORT = "COMMIT", "ABORT"

# One record batch. records is empty where the reader was not asked for them.
Batch = collections.namedtuple(
    "Batch", "first last pid epoch transactional control marker records")
Record = collections.namedtuple("Record", "offset timestamp key value headers")

HEADER = struct.Struct(">qiibIhiqqqhii")


def partition_dirs(data_dir, topic):
    """{partition number: directory} of a topic below a broker's log directory."""
    found = {}
    for path in glob.glob(os.path.join(glob.escape(data_dir), glob.escape(topic) + "-*")):
        number = path.rsplit("-", 1)[1]
        if number.isdigit() and os.path.basename(path) == "%s-%s" % (topic, number):
            found[int(number)] = path
    return found


def log_files(partition_dir):
    return sorted(glob.glob(os.path.join(glob.escape(partition_dir), "*.log")))


def _varint(data, at):
    byte = data[at]
    if byte < 0x80:
        return (byte >> 1) ^ -(byte & 1), at + 1
    shift, value = 7, byte & 0x7F
    while True:
        at += 1
        byte = data[at]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at + 1
        shift += 7


def _bytes(data, at):
    length, at = _varint(data, at)
    if length < 0:
        return None, at
    return bytes(data[at:at + length]), at + length


def _records(data, count, base_offset, base_timestamp):
    at, out = 0, []
    for _ in range(count):
        length, at = _varint(data, at)
        end = at + length
        delta_ms, at = _varint(data, at + 1)
        delta, at = _varint(data, at)
        key, at = _bytes(data, at)
        value, at = _bytes(data, at)
        headers, header_count = [], 0
        header_count, at = _varint(data, at)
        for _ in range(header_count):
            name, at = _bytes(data, at)
            text, at = _bytes(data, at)
            headers.append((name.decode(), text))
        if at != end:
            raise ValueError("record at offset %d does not end where it says" % (base_offset + delta))
        out.append(Record(base_offset + delta, base_timestamp + delta_ms, key, value, headers))
    return out


def _parse_file(path, with_records):
    with open(path, "rb") as file:
        data = memoryview(file.read())
    at, out = 0, []
    while at + HEADER.size <= len(data):
        (base, length, _, magic, _, attributes, last_delta, base_ms, _, pid, epoch, _,
         count) = HEADER.unpack_from(data, at)
        if length <= 0 or at + 12 + length > len(data):
            break  # the broker is writing it, or the file is preallocated
        if magic != 2:
            raise ValueError("%s: record batch of version %d" % (path, magic))
        control = bool(attributes & 0x20)
        codec = attributes & 7
        body = data[at + HEADER.size:at + 12 + length]
        records, marker = [], None
        if control or with_records:
            if codec == 1:
                body = memoryview(gzip.decompress(body))
            elif codec != 0:
                raise ValueError("%s: compression %d is not read here" % (path, codec))
            records = _records(body, count, base, base_ms)
        if control:
            kind = struct.unpack_from(">hh", records[0].key)[1]
            marker = {0: ABORT, 1: COMMIT}.get(kind, str(kind))
            records = []
        out.append(Batch(base, base + last_delta, pid, epoch, bool(attributes & 0x10), control,
                         marker, records))
        at += 12 + length
    return out


def read_python(data_dir, topics, with_records=False):
    """{(topic, partition): [Batch]}."""
    out = {}
    for topic in topics:
        for number, path in partition_dirs(data_dir, topic).items():
            batches = out.setdefault((topic, number), [])
            for file in log_files(path):
                batches.extend(_parse_file(file, with_records))
    return out


_BATCH = re.compile(
    r"^baseOffset: (\d+) lastOffset: (\d+) .*?producerId: (-?\d+) producerEpoch: (-?\d+) .*?"
    r"isTransactional: (\w+) isControl: (\w+) ")
_MARKER = re.compile(r"^\| offset: (\d+) .*endTxnMarker: (\w+)")


def read_dump(kafka, topics):
    """The same, by Kafka's own tool. `kafka` is a lab.kafka.Kafka or what is attached to one."""
    places, out = {}, {}
    for topic in topics:
        for number, path in partition_dirs(kafka.data_dir, topic).items():
            out[(topic, number)] = []
            for file in log_files(path):
                places[os.path.realpath(file)] = (topic, number)
    if not places:
        return out
    text = kafka.tool(kafka.dump_class, "--print-data-log", "--deep-iteration",
                      "--files", ",".join(places))
    batches = None
    for line in text.split("\n"):
        if line.startswith("Dumping "):
            batches = out[places[os.path.realpath(line[8:].strip())]]
            continue
        match = _BATCH.match(line)
        if match:
            first, last, pid, epoch, transactional, control = match.groups()
            batches.append(Batch(int(first), int(last), int(pid), int(epoch),
                                 transactional == "true", control == "true", None, []))
            continue
        match = _MARKER.match(line)
        if match and batches and batches[-1].control:
            batches[-1] = batches[-1]._replace(marker=match.group(2))
    return out
