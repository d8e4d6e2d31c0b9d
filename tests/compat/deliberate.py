"""Where walferry writes something else than Debezium on purpose; docs/MESSAGES.md has the reasons.

A rule says of one difference whether it is the one that is meant: by its place alone, or by what is
left when that is taken out. MET says how often each is met.
"""

import json
import re

SEQUENCE = re.compile(r'"sequence":"\[(null|\\"\d+\\"),\\"(\d+)\\"\]"')
NOT_FOR_ALL = ("", "beside")  # prefixes: it has no name, and it is in no transaction


MESSAGE_NAME = re.compile(r"io\.debezium\..*LogicalDecodingMessageId@[0-9a-f]+")
ORDER = re.compile(r'("data_collection_order":)\d+')


def message_order(place, part, wanted, got):
    """Each message of a transaction is a collection of its own there, and the first of it."""
    return part == "value" and place[0].endswith(".message") and \
        ORDER.sub(r"\1", wanted) == ORDER.sub(r"\1", got)


def sequence(place, part, wanted, got):
    """The place before a record is the end of the last commit there, or null before the first; here
    also any later place of which the relay knows that nothing before it is to come. Messages that are
    not transactional move it there, and are passed by here."""
    if part != "value" or wanted is None or got is None:
        return False
    theirs, ours = SEQUENCE.search(wanted), SEQUENCE.search(got)
    if not theirs or not ours or SEQUENCE.sub("", wanted) != SEQUENCE.sub("", got):
        return False
    before, after = (0 if one[1] == "null" else int(one[1].strip('\\"')) for one in (theirs, ours))
    return theirs[2] == ours[2] and (before < after or place[0].endswith(".message"))


def of_table(*names):
    def rule(place, part, wanted, got):
        return part == "value" and re.fullmatch(r".*\.t\.of_(%s)" % "|".join(names), place[0])
    return rule


def lost_delete(place, part, wanted, got):
    """Under nanoseconds a DELETE of a table with a timestamp that must be there, and is not sent, is lost there."""
    return part == "superfluous" and re.fullmatch(r"dbz_nano\.t\.of_(timestamp.*|dd?_stamp)", place[0])


RULES = {
    "lost delete": lost_delete,
    "message_order": message_order,
    "sequence": sequence,
    "name": of_table("name"),
    "infinite date in an array": of_table("a_date"),
    "timetz in an array": of_table("a_timetz"),
    "NULL in an array": of_table("a_ltree", "a_mood", "a_tsvector"),
    "digits of an older Java": of_table("float8"),
}

# How often each is met under each set of options, at least and at most. Where the relay is while
# nothing happens is a matter of time, and then all rows of the next transaction have it.
MET = {
    "sequence": (1, 250), "name": (2, 2), "infinite date in an array": (4, 4),
    "timetz in an array": (4, 4), "NULL in an array": (3, 3), "digits of an older Java": (2, 2),
}
# And what is met under one of them alone.
MET_OF = {"micro": {"message_order": (1, 1)}, "nano": {"lost delete": (14, 14)}}
OF_THE_LOG = ("sequence",)  # what a recording does not have
# Messages that walferry never publishes; of a connector's lines they are taken away.
NOT_PUBLISHED = 2
# Transactions in which nothing was left to publish.
NOT_MARKED = {"micro": 4}


def sort(differences):
    """(what nobody meant, what is meant with the name of its rule in front)"""
    unknown, known = [], []
    for one in differences:
        name = next((name for name, rule in RULES.items() if rule(*one)), None)
        if name is None:
            unknown.append(one)
        else:
            known.append((name,) + one)
    return unknown, known


def published(lines):
    """A connector's lines without the messages that walferry never publishes; how many these were, and
    of which transactions."""
    out, transactions = [], set()
    for line in lines:
        topic, _, key, value, _ = json.loads(line)
        if topic.endswith(".message") and json.loads(key)["prefix"] in NOT_FOR_ALL:
            transactions.add(str(json.loads(value)["source"]["txId"]))
            continue
        out.append(line)
    return out, len(lines) - len(out), transactions


def _marks(line):
    """What a record of the transaction topic says; None: it is of another."""
    topic, _, _, value, _ = json.loads(line)
    return json.loads(value) if topic.endswith(".transaction") else None


def marked(lines, also=frozenset()):
    """Without the records of transactions in which nothing was left to publish, of which walferry says
    nothing, and of others, and how many of these there were; collections in the order of their names,
    and all messages one."""
    empty = {mark["id"].split(":")[0] for mark in map(_marks, lines) if mark and mark["event_count"] == 0}
    empty |= {mark["id"].split(":")[0] for mark in map(_marks, lines) if mark} & also
    out = []
    for line in lines:
        mark = _marks(line)
        if mark is None:
            out.append(line)
        elif mark["id"].split(":")[0] not in empty:
            out.append(_in_order(line, mark))
    return out, len(empty)


def _in_order(line, mark):
    counts = {}
    for one in mark["data_collections"] or []:
        name = MESSAGE_NAME.sub("message", one["data_collection"])
        counts[name] = counts.get(name, 0) + one["event_count"]
    if not counts:
        return line
    record = json.loads(line)
    mark["data_collections"] = [{"data_collection": name, "event_count": counts[name]} for name in sorted(counts)]
    record[3] = json.dumps(mark, separators=(",", ":"), ensure_ascii=False)
    return json.dumps(record, ensure_ascii=False)
