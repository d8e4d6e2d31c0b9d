"""examples/order-saga: orders by choreography and by orchestration while services and relays are killed.
Every saga ends, money and goods add up, and steps without an answer are found in the view."""

import e2e
import sagas

with e2e.Case() as case:
    sagas.check(case, sagas=60, kills=12)
