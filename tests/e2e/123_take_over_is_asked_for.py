"""What would end a running relay says so, and wants --take-over, whether it sees the relay at its admin
port or at the slot; a second start of the same file names the process that runs already."""

import e2e

with e2e.Case() as case:
    relay = case.up()
    relay.wait_ready()
    case.put(rows=2)
    case.drain(relay=relay)
    system = case.one("SELECT system_identifier FROM pg_control_system()")
    ahead = "%d-%016X-1" % (system, case.current_lsn() + 0x1000000)
    same = case.relay({"admin": {"listen": relay.config["admin"]["listen"]}})
    afar = case.relay()
    pid = "process %d" % relay.pid
    for one, who in ((same, pid), (afar, "holds slot")):
        for command in (("skip", ahead), ("teardown", "--yes"),
                        ("rebase", "--to", "slot", "--accept-repeat", "--yes")):
            case.command(one, *command, code=2, says=(who, "--take-over"))
    case.refused(same, 2, ("running already", pid))
    assert relay.running() and len(relay.events("epoch.opened")) == 1, relay.log_text()
    assert case.progress()[-1]["generation"] <= 3
    case.put()
    case.drain(relay=relay)
    case.command(afar, "skip", ahead, "--take-over", says="will end with exit code 4")
    assert relay.wait(15) == 4, relay.log_text()
    # Nobody is there any more: nothing more is asked for.
    case.command(same, "skip", ahead[:-1] + "2", says="will be passed over")
    case.judge()
