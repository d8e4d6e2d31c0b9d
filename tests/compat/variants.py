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
        "money.fraction.digits": "4",
    },
    "micro": {
        "time.precision.mode": "microseconds",
        "binary.handling.mode": "base64-url-safe",
        "provide.transaction.metadata": "true",
        "unavailable.value.placeholder": "hex:00ff",
        "money.fraction.digits": "0",
    },
    "nano": {
        "time.precision.mode": "nanoseconds",
        "unavailable.value.placeholder": "gone",
        "extended.headers.enabled": "false",
        "column.include.list": r"cols\.masked\.(id|cut),(?!cols\.masked\.).*",
    },
    "time_us": {
        "time.precision.mode": "adaptive_time_microseconds",
    },
    "columns": {
        "message.key.columns": r"cols\.keyed:b,a;cols\.(other):c",
        "column.truncate.to.3.chars": r"cols\.masked\.cut.*",
        "column.mask.with.5.chars": r"cols\.masked\.hidden.*",
        "column.mask.with.0.chars": r"cols\.masked\.nothing",
        "column.mask.hash.SHA-256.with.salt.CzQMA0cB5K": r"cols\.masked\.hashed",
        "column.mask.hash.v2.SHA-512.with.salt.CzQMA0cB5K": r"cols\.masked\.(hashed_two|short)",
        "column.exclude.list": r"cols\.masked\.gone,COLS\.other\.x",
    },
}

# So many stand beside each other at a time: each has hundreds of topics.
AT_A_TIME = 2

# What is compared with walferry, and how many records it is: beside the connector, and against a recording.
COMPARED = {
    "plain": (1477, 1422),
    "text": (1229, 1174),
    "double": (1477, 1422),
    "micro": (2545, 1422),
    "nano": (1463, 1408),
    "time_us": (1477, 1422),
    "columns": (1475, 1420),
}
# Of these the recordings are compared by `make test`.
RECORDED = ("plain", "text", "micro", "columns")
