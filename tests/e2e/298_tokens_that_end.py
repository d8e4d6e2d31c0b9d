"""SASL/OAUTHBEARER with tokens that are good for seconds, printed by kafka_token_command: the relay
goes on under load without a new epoch, and through programs that fail, lie or hang."""

import os
import signal
import stat
import time

import e2e

HANDLERS = "org.apache.kafka.common.security.oauthbearer."
LISTENER = "listener.name.sasl_plaintext."
CONF = {
    "sasl.enabled.mechanisms": "PLAIN,OAUTHBEARER",
    LISTENER + "oauthbearer.sasl.jaas.config":
        HANDLERS + "OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"broker\";",
    LISTENER + "oauthbearer.sasl.server.callback.handler.class":
        HANDLERS + "internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler",
    # A connection shows its token again every few seconds.
    LISTENER + "oauthbearer.connections.max.reauth.ms": 3000,
    "super.users": "User:ANONYMOUS;User:admin;User:pl4nted-relay",
}

# A JWT without signature, which the broker takes for $life seconds. librdkafka looks once a second
# whether a token's time is near its end.
PROGRAM = """#!/bin/sh
dir=$(dirname "$0")
echo run >> "$dir/runs"
life=15 form=jwt ends=15
[ -e "$dir/does" ] && . "$dir/does"
b64() { base64 -w0 | tr '+/' '-_' | tr -d '='; }
now=$(date +%s)
head=$(printf '{"alg":"none"}' | b64)
body=$(printf '{"sub":"pl4nted-relay","iat":%d,"exp":%d}' $((now - 30)) $((now + life)) | b64)
case $form in
    jwt) echo "$head.$body." ;;
    json) printf "{\\"token\\":\\"$head.$body.\\",\\"expires_in_s\\":%d,\\"extensions\\":{\\"a\\":\\"b\\"}}" $ends ;;
esac
"""


def write(path, text, mode=0o600):
    with open(path + ".new", "w") as file:
        file.write(text)
    os.chmod(path + ".new", mode)
    os.replace(path + ".new", path)


def run(case):
    program, does = os.path.join(case.dir, "token"), os.path.join(case.dir, "does")
    write(program, PROGRAM, stat.S_IRWXU)
    oauth = {"kafka": {"bootstrap.servers": case.kafka.sasl_bootstrap,
                       "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "OAUTHBEARER"},
             "kafka_token_command": [program]}

    def runs():
        with open(os.path.join(case.dir, "runs")) as file:
            return len(file.readlines())

    # Nothing gives a token; nothing asks for one.
    none = case.relay({"kafka": oauth["kafka"]}, name="none")
    case.command(none, "check", code=2, says="nothing gives a token for OAUTHBEARER")
    unused = case.relay({"kafka_token_command": [program]}, name="unused")
    case.command(unused, "check", code=2, says="nothing asks for a token")

    relay = case.up(oauth)
    case.command(relay, "check", "--connect")
    shop = case.shop(writers=2, rate=60).start()
    e2e.wait("events", lambda: case.seen(0.1) > 10)

    # Past the end of the first token, which every client has renewed by then; the second says less
    # than the broker would take.
    before, began = runs(), time.monotonic()
    while time.monotonic() < began + 16:
        case.seen(0.2)
        if time.monotonic() > began + 8 and not os.path.exists(does):
            write(does, "form=json life=60 ends=8\n")
    assert runs() >= before + 3, (before, runs())
    assert len(relay.events("epoch.opened")) == 1 and not relay.events("epoch.failed")

    # It fails while the token is still good: told, and no more than that.
    write(does, "echo 'no such client' >&2; exit 4\n")
    failed = relay.wait_log("kafka.token_failed", 15)
    print(failed)
    assert "ended with exit code 4; it says: no such client" in failed, failed
    seen = case.seen()
    e2e.wait("more events", lambda: case.seen(0.1) > seen + 10)
    assert len(relay.events("epoch.opened")) == 1 and not relay.events("epoch.failed")
    # Without any.
    case.stop(relay)
    relay.start()
    ended = relay.wait_log("epoch.failed")
    print(ended)
    assert "kind=retry reason=token_command" in ended, ended
    case.command(relay, "check", "--connect", code=6, says="ended with exit code 4")
    # What the broker does not take is tried with another.
    write(does, "form=json life=-20 ends=60\n")
    e2e.wait("a refused token", lambda: "Kafka refuses the credentials" in relay.log_text())
    opened = len(relay.events("epoch.opened"))
    write(does, "life=60\n")
    relay.wait_log("epoch.opened", 40, opened + 1)
    shop.stop()
    case.drain(relay=relay)
    text = relay.log_text() + relay.admin("/status")[1]
    assert "eyJ" not in text, text

    # It hangs: a SIGTERM does not wait for it.
    case.stop(relay)
    write(does, "echo $$ > \"$dir/pid\"; sleep 60\n")
    relay.start()
    e2e.wait("a program that hangs", lambda: os.path.exists(os.path.join(case.dir, "pid")))
    began = time.monotonic()
    relay.signal(signal.SIGTERM)
    assert relay.wait(12) == 0
    print("stopped after %.2f s" % (time.monotonic() - began))
    assert time.monotonic() - began < 4
    with open(os.path.join(case.dir, "pid")) as file:
        assert not os.path.exists("/proc/%s" % file.read().strip())
    case.judge()


with e2e.own_kafka(conf=CONF) as kafka, e2e.Case(kafka=kafka) as case:
    run(case)
