"""The one judge of every end-to-end run: PostgreSQL is the truth, Kafka is held against it.

The truth is the table e2e.truth, which a test's writers fill in the transactions that make the
events. Kafka is read three times over: by a read_committed consumer from start to end, as progress
records, and as the broker's own segment files (segments.py). Each disagreement is one Fault with a
kind; no faults is the only pass. The oracle never looks at the relay itself.

  lost           committed in PostgreSQL, not in Kafka
  alien          in Kafka, not committed in PostgreSQL
  twice          one event more than once
  reordered      per key n goes back, or per partition the commit order does
  changed        topic, key or value is not what was written
  torn           a PostgreSQL transaction has not one walferry-id LSN, or shares it
  regressed      progress does not strictly increase
  ahead          the slot is confirmed beyond the newest committed progress
  split          two events of one PostgreSQL transaction are of two producers, or a control record of
                 theirs stands between them
  uncommitted    an event outside a range that a COMMIT marker ends
  disagree       consumer and segment files do not show the same events
"""

import collections
import hashlib
import json
import re
import time

import confluent_kafka

import segments as segment_files

Fault = collections.namedtuple("Fault", "kind text")
Event = collections.namedtuple("Event", "topic partition offset timestamp key value headers")
Truth = collections.namedtuple("Truth", "id topic key n md5 xid")
WalferryId = collections.namedtuple("WalferryId", "system lsn ordinal nth")

FAULTS_SHOWN = 10


class OracleError(AssertionError):
    def __init__(self, faults):
        self.faults = faults
        count = collections.Counter(fault.kind for fault in faults)
        lines = ["oracle: " + ", ".join("%d %s" % (n, kind) for kind, n in count.items())]
        lines += ["  %s: %s" % fault for fault in faults[:FAULTS_SHOWN]]
        super().__init__("\n".join(lines))


def header(event, name):
    """The text of a header, or None."""
    for key, value in event.headers:
        if key == name:
            return None if value is None else value.decode()
    return None


CLAIMED = re.compile(r"(\d+)-(?:t\d+)?k(%|(?:[A-Za-z0-9_~-]|%[0-9A-F]{2})+)(?:\.(\d+))?")


def walferry_id(text):
    """<system identifier>-<16 hex digits>-<ordinal>[.<n>], or of polling
    <system identifier>-x<xid>[t<oid>]-<seq>[.<n>]: there xid and seq stand in for LSN and ordinal.
    Of claiming <system identifier>-[t<oid>]k<key>[.<n>]: there the key stands in for the LSN."""
    claim = CLAIMED.fullmatch(text)
    if claim:
        return WalferryId(int(claim[1]), claim[2], 0, int(claim[3] or 1))
    system, lsn, rest = text.split("-")
    ordinal, _, nth = rest.partition(".")
    if lsn.startswith("x"):
        return WalferryId(int(system), int(lsn[1:].partition("t")[0]), int(ordinal), int(nth or 1))
    if len(lsn) != 16:
        raise ValueError("not a walferry-id: " + text)
    return WalferryId(int(system), int(lsn, 16), int(ordinal), int(nth or 1))


def lsn_number(text):
    """"16/B374D848" as a number; numbers stay."""
    if isinstance(text, int):
        return text
    high, low = text.split("/")
    return (int(high, 16) << 32) | int(low, 16)


def lsn_text(number):
    return "%X/%X" % (number >> 32, number & 0xFFFFFFFF)


# ---- reading Kafka ----

SETTLE = 3.0  # s; markers come within milliseconds, but for a transaction that somebody left open

def consumer(bootstrap, isolation="read_committed", **more):
    conf = {"bootstrap.servers": bootstrap, "group.id": "oracle", "isolation.level": isolation,
            "enable.auto.commit": False, "enable.auto.offset.store": False,
            "enable.partition.eof": True, "fetch.wait.max.ms": 20, "fetch.error.backoff.ms": 20,
            "auto.offset.reset": "earliest", "broker.address.family": "v4",
            "reconnect.backoff.max.ms": 500}
    conf.update(more)
    return confluent_kafka.Consumer(conf)


def topics_like(bootstrap, prefix):
    """Names of the topics that begin with prefix."""
    reader = consumer(bootstrap)
    try:
        names = reader.list_topics(timeout=20).topics
        return sorted(name for name in names if name.startswith(prefix))
    finally:
        reader.close()


def _event(message):
    return Event(message.topic(), message.partition(), message.offset(), message.timestamp()[1],
                 message.key(), message.value(), message.headers() or [])


def read_topics(bootstrap, topics, isolation="read_committed", timeout=60, start=None, settle=True):
    """Every event of the topics, in order of partition and offset, as far as the end at the call.

    The end is asked for (see _ends) and passed by position: markers occupy offsets, so that the
    last event's says nothing, and neither does a fetch that comes back empty. A transaction that
    is committed becomes visible only with its markers, which the coordinator writes behind its
    answer: with settle what stood in the log at the call is waited for, SETTLE seconds at most.
    start: an offset to begin at, negative counts from the end.
    """
    reader, deadline = consumer(bootstrap, isolation), time.monotonic() + timeout
    try:
        known = reader.list_topics(timeout=timeout).topics
        parts = [confluent_kafka.TopicPartition(topic, number, 0)
                 for topic in topics if topic in known and known[topic].error is None
                 for number in known[topic].partitions]
        ends = _ends(reader, parts, deadline)
        if isolation == "read_committed" and settle:
            ends = _settled(bootstrap, reader, parts, ends, deadline)
        for part in parts if start is not None else ():
            low, high = ends[(part.topic, part.partition)]
            part.offset = max(low, high + start if start < 0 else start)
        waiting = {(part.topic, part.partition): ends[(part.topic, part.partition)][1]
                   for part in parts if part.offset < ends[(part.topic, part.partition)][1]}
        if not waiting:
            return []
        reader.assign(parts)
        events = []
        while waiting:
            for message in reader.consume(10000, 0.03):
                place, passed = (message.topic(), message.partition()), None
                if message.error() is None:
                    events.append(_event(message))
                    passed = message.offset() + 1
                elif message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
                    passed = message.offset()
                elif not message.error().retriable():
                    raise confluent_kafka.KafkaException(message.error())
                if passed is not None and passed >= waiting.get(place, passed + 1):
                    del waiting[place]
            if time.monotonic() > deadline:
                raise TimeoutError("no end of %s within %d s" % (sorted(waiting), timeout))
        events.sort(key=lambda event: event[:3])
        return events
    finally:
        reader.close()


def _ends(reader, parts, deadline):
    """{(topic, partition): (first offset, last stable offset)}, by ListOffsets.

    A fetch must not be asked: a broker that has just become the leader answers it with the high
    watermark that it knew as a follower, and that trails what has been acknowledged, so that the
    partition seems to end before its end. ListOffsets is refused by such a leader until its
    watermark has reached the place where its epoch began (KIP-207); then it is asked again.
    """
    ends = {}
    while len(ends) < len(parts):
        for part in parts:
            place = (part.topic, part.partition)
            if place in ends:
                continue
            try:
                ends[place] = reader.get_watermark_offsets(part, timeout=2)
            except confluent_kafka.KafkaException as error:
                if time.monotonic() > deadline:
                    raise TimeoutError("the end of %s[%d] is not told: %s" % (*place, error)) from None
                time.sleep(0.05)
    return ends


def unsettled(bootstrap, parts, ends, deadline):
    """{(topic, partition): (last stable offset, high watermark)} where a transaction has no end yet."""
    reader = consumer(bootstrap, "read_uncommitted")
    try:
        return {place: (ends[place][1], high)
                for place, (_, high) in _ends(reader, parts, deadline).items() if ends[place][1] < high}
    finally:
        reader.close()


def _settled(bootstrap, reader, parts, ends, deadline):
    """ends, once nothing that was in the log at the call waits for its marker, or after SETTLE s."""
    wanted, until = unsettled(bootstrap, parts, ends, deadline), time.monotonic() + SETTLE
    while wanted and time.monotonic() < until:
        time.sleep(0.05)
        ends.update(_ends(reader, [part for part in parts if (part.topic, part.partition) in wanted], deadline))
        wanted = {place: at for place, at in wanted.items() if ends[place][1] < at[1]}
    return ends


def open_partitions(bootstrap, topics):
    """For a person: partitions in which a transaction has no end, see unsettled()."""
    reader, deadline = consumer(bootstrap), time.monotonic() + 20
    try:
        known = reader.list_topics(timeout=20).topics
        parts = [confluent_kafka.TopicPartition(topic, number) for topic in topics
                 for number in known[topic].partitions]
        return unsettled(bootstrap, parts, _ends(reader, parts, deadline), deadline)
    finally:
        reader.close()


def progress_records(bootstrap, topic, start=None):
    """[(offset, key, record as a dict)] of the committed progress, without the notes beside it."""
    out = []
    for event in read_topics(bootstrap, [topic], start=start, settle=False):
        key = (event.key or b"").decode()
        if event.value is not None and not key.endswith("/fingerprint"):
            out.append((event.offset, key, json.loads(event.value)))
    return out


def progress_place(record):
    """(lsn, changes done of the transaction behind it)"""
    position = record["position"]
    if isinstance(position, dict):
        lsn, seq = lsn_number(position["lsn"]), int(position.get("seq", 0))
    else:
        lsn, seq = lsn_number(position), 0
    partial = record.get("partial")
    if partial:
        seq = int(partial["done"])
    return lsn, seq


# ---- the checks; each is a function of what was read and gives faults ----

def check_events(truth, events, keys_move=False):
    """lost, alien, twice, changed, reordered per key. keys_move: partitions were added meanwhile, so
    that a key's events are in order by walferry-id only."""
    faults, seen, last_n = [], {}, {}
    if keys_move:
        events = sorted(events, key=lambda event: walferry_id(header(event, "walferry-id"))[1:])
    for event in events:
        identity = header(event, "id")
        where = "%s[%d]@%d" % event[:3]
        row = truth.get(identity)
        if row is None:
            faults.append(Fault("alien", "%s id %s" % (where, identity)))
            continue
        if identity in seen:
            faults.append(Fault("twice", "id %s at %s and %s" % (identity, seen[identity], where)))
            continue
        seen[identity] = where
        key = None if event.key is None else event.key.decode()
        if event.topic != row.topic or key != row.key:
            faults.append(Fault("changed", "%s: %s key %s, written was %s key %s" % (
                where, event.topic, key, row.topic, row.key)))
        if row.md5 is not None:
            md5 = "null" if event.value is None else hashlib.md5(event.value).hexdigest()
            if md5 != row.md5:
                faults.append(Fault("changed", "%s: value %r" % (where, event.value)))
        place = (event.topic, row.key)
        if place in last_n and row.n <= last_n[place]:
            faults.append(Fault("reordered", "%s: n %d of key %s after %d" % (
                where, row.n, row.key, last_n[place])))
        last_n[place] = row.n
    for identity in truth.keys() - seen.keys():
        faults.append(Fault("lost", "%s" % (truth[identity],)))
    return faults


def check_transactions(truth, events, ordered=True):
    """torn; and per partition the order of commit. Needs the header walferry-id."""
    faults, lsn_of, xid_of, last = [], {}, {}, {}
    for event in events:
        row = truth.get(header(event, "id"))
        text = header(event, "walferry-id")
        if row is None or text is None:
            continue
        identity, where = walferry_id(text), "%s[%d]@%d" % event[:3]
        if CLAIMED.fullmatch(text):
            continue  # it names a row, and no transaction
        polled = "-x" in text
        if polled and str(identity.lsn) != row.xid:
            faults.append(Fault("torn", "%s: %s is of xid %s" % (where, text, row.xid)))
        if lsn_of.setdefault(row.xid, identity.lsn) != identity.lsn:
            faults.append(Fault("torn", "%s: xid %s has %s and %s" % (
                where, row.xid, lsn_text(lsn_of[row.xid]), lsn_text(identity.lsn))))
        elif xid_of.setdefault(identity.lsn, row.xid) != row.xid:
            faults.append(Fault("torn", "%s: %s is of xid %s and %s" % (
                where, lsn_text(identity.lsn), xid_of[identity.lsn], row.xid)))
        place, now = event[:2], identity[1:]
        if ordered and not polled and place in last and now <= last[place]:
            faults.append(Fault("reordered", "%s: %s after %s" % (where, now, last[place])))
        last[place] = now
    return faults


def check_progress(records):
    """(generation, position) strictly increases; position falls only in a rebase, and stays only in
    a claim or a rebase."""
    faults, last = [], {}
    for offset, key, record in records:
        generation, place = int(record["generation"]), progress_place(record)
        mode, before = record.get("mode"), last.get(key)
        last[key] = (generation, place, mode)
        if before is None:
            continue
        claimed = generation > before[0]
        anywhere = claimed and (record.get("rebased") or before[2] == "closed"
                                or (before[2], mode) == ("intent", "poll"))
        same_is_right = claimed or mode != before[2]  # a claim, or what follows an intent
        if generation < before[0] or (place < before[1] and not anywhere) or \
                (place == before[1] and not same_is_right):
            faults.append(Fault("regressed", "offset %d of %s: generation %d at %s after %d at %s" % (
                offset, key, generation, place, before[0], before[1])))
    return faults


def check_confirmed(slot, confirmed, records):
    """I1, as far as it shows at rest. `confirmed` must have been read before `records`."""
    newest = progress_place(records[-1][2])[0] if records else 0
    if confirmed is not None and lsn_number(confirmed) > newest:
        return [Fault("ahead", "slot %s is confirmed at %s, progress is %s" % (
            slot, confirmed, lsn_text(newest)))]
    return []


def check_segments(layout, events, progress_topic=None):
    """split, uncommitted, disagree. layout: as segments.py reads it, of the events' topics."""
    faults = []
    by_partition = collections.defaultdict(list)
    for event in events:
        by_partition[event[:2]].append(event)
    producers = {}
    for place, batches in layout.items():
        visible = {event.offset for event in by_partition.get(place, [])}
        faults += _check_ranges(place, batches, visible, place[0] == progress_topic)
        faults += _check_split(place, batches, by_partition.get(place, []), producers)
    for place in by_partition.keys() - layout.keys():
        faults.append(Fault("disagree", "%s[%d] has no segment files" % place))
    return faults


def _check_ranges(place, batches, visible, compacted):
    """The next marker of a producer id decides on what is before it. Its epoch is that of the data or
    a higher one: the coordinator raises it where it ends a transaction for a producer, and a
    read_committed consumer goes by the producer id alone. A lower one no broker takes."""
    faults, fate = [], {}
    on_disk = set()
    for batch in reversed(batches):
        if batch.control:
            fate[batch.pid] = (batch.marker, batch.epoch)
            continue
        offsets = range(batch.first, batch.last + 1)
        marker, epoch = fate.get(batch.pid, (None, -1))
        committed = batch.transactional and marker == segment_files.COMMIT and epoch >= batch.epoch
        if committed or not batch.transactional:
            on_disk.update(offsets)
        if not committed:
            faults += [Fault("uncommitted", "%s[%d]@%d: producer %d epoch %d, next marker %s" % (
                *place, offset, batch.pid, batch.epoch, fate.get(batch.pid)))
                       for offset in offsets if offset in visible]
    missing = visible - on_disk
    surplus = set() if compacted else on_disk - visible
    uncommitted = {fault.text.split(":")[0].rsplit("@")[1] for fault in faults}
    missing = {offset for offset in missing if str(offset) not in uncommitted}
    if missing or surplus:
        faults.append(Fault("disagree", "%s[%d]: only the consumer shows %s, only the segments %s" % (
            *place, sorted(missing)[:5], sorted(surplus)[:5])))
    return faults


def _check_split(place, batches, events, producers):
    """A relay has two producers in turn, so that a marker of one may stand between events of the other.
    producers: {transaction: its producer}, over all partitions; filled."""
    faults, last = [], {}
    at, ended = 0, collections.Counter()  # markers of each producer before the event
    for event in events:
        while at < len(batches) and batches[at].last < event.offset:
            if batches[at].control:
                ended[batches[at].pid] += 1
            at += 1
        text = header(event, "walferry-id")
        if text is None or header(event, "walferry-part") is not None or at == len(batches):
            continue  # what no file holds is a fault of its own
        lsn, pid = walferry_id(text).lsn, batches[at].pid
        if producers.setdefault(lsn, pid) != pid:
            faults.append(Fault("split", "%s[%d]@%d: %s is of producers %d and %d" % (
                *place, event.offset, lsn_text(lsn), producers[lsn], pid)))
        elif lsn in last and last[lsn][1] != ended[pid]:
            faults.append(Fault("split", "%s[%d]: a marker of producer %d between offsets %d and %d of %s" % (
                *place, pid, last[lsn][0], event.offset, lsn_text(lsn))))
        last[lsn] = (event.offset, ended[pid])
    return faults


# ---- the whole ----

def read_truth(connection, topic_prefix=""):
    """{id: Truth}; the table keeps topics without the test's own prefix."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, topic, key, n, md5, xid::text FROM e2e.truth")
        return {row[0]: Truth(row[0], topic_prefix + row[1], *row[2:]) for row in cursor.fetchall()}


def judge(connection, kafka, slot, progress_topic, topic_prefix, read="python",
          guarantee="exactly_once", keys_move=False):
    """All checks on a relay that has drained. Returns (faults, events, progress records).

    read: "python", "dump" (Kafka's own tool) or "both" for the segment files.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT confirmed_flush_lsn::text FROM pg_replication_slots"
                       " WHERE slot_name = %s", (slot,))
        row = cursor.fetchone()
    confirmed = row[0] if row else None
    truth = read_truth(connection, topic_prefix)
    records = progress_records(kafka.bootstrap, progress_topic)
    topics = topics_like(kafka.bootstrap, topic_prefix)
    events = read_topics(kafka.bootstrap, topics)
    exactly_once = guarantee == "exactly_once"
    faults = check_events(truth, events, keys_move) + check_transactions(truth, events)
    faults += check_progress(records) + check_confirmed(slot, confirmed, records)
    if exactly_once:
        for layout in _layouts(kafka, topics, read):
            faults += check_segments(layout, events)
    return faults, events, records


def _layouts(kafka, topics, read):
    if read in ("python", "both"):
        yield segment_files.read_python(kafka.data_dir, topics)
    if read in ("dump", "both"):
        yield segment_files.read_dump(kafka, topics)
