"""Private PostgreSQL and Kafka servers, and the relay beside them.

One library for the demo, the end-to-end tests and the benchmark. Every server gets its own data
directory, free loopback ports and, where root runs this, an unprivileged user. Whatever is started
here is ended by its process id and dies with the process that started it, unless told to stay.
"""

from . import cache, kafka, ports, postgres, process, relay  # noqa: F401
