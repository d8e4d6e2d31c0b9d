"""Where walferry writes something else than Debezium on purpose; docs/MESSAGES.md has the reasons.

A rule says of one difference whether it is the one that is meant: by its place alone, or by what is
left when that is taken out. MET says how often each is met.
"""

import json
import re

SEQUENCE = re.compile(r'"sequence":"\[(null|\\"\d+\\"),\\"(\d+)\\"\]"')
NOT_FOR_ALL = ("", "beside")  # prefixes: it has no name, and it is in no transaction


def null_for_default(place, part, wanted, got):
    """A column that is NULL, or not sent, and has a default is printed as the default there."""
    return part == "value" and place[0].endswith((".ops.defaults", ".ddl.cols"))


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


RULES = {
    "null_for_default": null_for_default,
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
    "null_for_default": (3, 5), "sequence": (1, 250), "name": (2, 2), "infinite date in an array": (4, 4),
    "timetz in an array": (4, 4), "NULL in an array": (3, 3), "digits of an older Java": (2, 2),
}
OF_THE_LOG = ("sequence",)  # what a recording does not have
# Messages that walferry never publishes; of a connector's lines they are taken away.
NOT_PUBLISHED = 2


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
    """A connector's lines without the messages that walferry never publishes; how many these were."""
    out = []
    for line in lines:
        topic, _, key, _, _ = json.loads(line)
        if topic.endswith(".message") and json.loads(key)["prefix"] in NOT_FOR_ALL:
            continue
        out.append(line)
    return out, len(lines) - len(out)
