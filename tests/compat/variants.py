"""The sets of Debezium's options under which the corpus is run, all beside each other: each is a
connector with a slot and a topic prefix of its own. The first has none at all."""

VARIANTS = {
    "plain": {},
    "text": {
        "decimal.handling.mode": "string",
        "time.precision.mode": "isostring",
        "interval.handling.mode": "string",
        "binary.handling.mode": "base64",
        "skipped.operations": "none",
        "tombstones.on.delete": "false",
    },
    "double": {
        "decimal.handling.mode": "double",
        "time.precision.mode": "connect",
        "hstore.handling.mode": "map",
        "binary.handling.mode": "hex",
        "include.unknown.datatypes": "true",
        "money.fraction.digits": "4",
    },
    "micro": {
        "time.precision.mode": "microseconds",
        "binary.handling.mode": "base64-url-safe",
        "provide.transaction.metadata": "true",
        "unavailable.value.placeholder": "hex:00ff",
        "value.converter.replace.null.with.default": "false",
        "money.fraction.digits": "0",
    },
    "nano": {
        "time.precision.mode": "nanoseconds",
        "unavailable.value.placeholder": "gone",
        "value.converter.decimal.format": "NUMERIC",
        "key.converter.decimal.format": "NUMERIC",
        "extended.headers.enabled": "false",
    },
    "time_us": {
        "time.precision.mode": "adaptive_time_microseconds",
        "skip.messages.without.change": "true",
    },
}

# What is compared with walferry, and how many records it is: beside the connector, and against a recording.
COMPARED = {
    "plain": (1432, 1377),
    "text": (1194, 1139),
}
