"""dead-letter retry of 3,000 letters with the relay killed inside of it, twice: each is one event, in the
order of its key, and its key is let go of. The same under at_least_once, where some are seen again."""

import retries

retries.check("exactly_once", 3000, ("C2:2000", "C3:1"))
retries.check("at_least_once", 300, ("C2:200",))
