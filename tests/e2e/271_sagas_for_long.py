"""The same with 500 orders and 102 kills."""

import e2e
import sagas

LONG = True
SECONDS = 400

with e2e.Case() as case:
    sagas.check(case, sagas=500, kills=102)
