"""Where walferry writes something else than Debezium on purpose; docs/MESSAGES.md has the reasons."""


MOST = 400  # of one set of options


def nested_arrays(place, part, wanted, got):
    """Debezium has nothing for what is in a nested array."""
    return part == "value" and ".of_a2_" in place[0]


def context_headers(place, part, wanted, got):
    """Which task of which connector it was: here nobody's."""
    return part == "headers" and [header for header in wanted if not header[0].startswith(
        "__debezium.context.")] == got


def null_for_default(place, part, wanted, got):
    """NULL in a column with a default is printed as the default."""
    return part == "value" and place[0].endswith(".ops.defaults")


RULES = (nested_arrays, context_headers, null_for_default)


def sort(differences):
    """(what nobody meant, what is meant)"""
    unknown, known = [], []
    for one in differences:
        (known if any(rule(*one) for rule in RULES) else unknown).append(one)
    return unknown, known
