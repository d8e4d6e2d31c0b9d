"""What a hint prints is run as it was printed, by sh or psql. Where the printed command asks and nobody is
there, the line with --yes that it prints in turn is run. A reason is in RAN once its mend has run well."""

import json
import os
import re
import subprocess

import e2e

COMMAND = re.compile(r"(\S*walferry (?:setup|rebase|skip|teardown)\b[^,]*? -c \S+)")
STATEMENT = re.compile(r"((?:ALTER|CREATE|DROP) .*)$")
KAFKA = re.compile(r"(kafka-[a-z]+\.sh [^;]*)")
RAN = set()

# Kafka's own scripts: the class that each of them starts.
SCRIPTS = {"kafka-acls.sh": "org.apache.kafka.tools.AclCommand",
           "kafka-configs.sh": "kafka.admin.ConfigCommand",
           "kafka-topics.sh": "org.apache.kafka.tools.TopicCommand"}


def asked(relay, reason, *command):
    """The command ends with this reason; its hint."""
    _, out, err = relay.run(*command, "--json")
    error = json.loads(out)["error"]
    assert error["reason"] == reason, (out, err)
    assert "hint: %s\n" % error["hint"] in err, (out, err)
    return error["hint"]


def ended(case, relay, reason, code):
    """`run` ends with this reason; the hint of its last line."""
    text = case.refused(relay, code)
    return last(text, reason)


def last(text, reason):
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    stopped = [line for line in lines if line["event"] == "relay.stopped"][-1]
    assert stopped["reason"] == reason, stopped
    return stopped["hint"]


def shell(relay, line):
    result = subprocess.run(["sh", "-c", line], env=relay._env(None), text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, timeout=60, check=False)
    return result.returncode, result.stdout


def mend(relay, reason, hint):
    """The command of the hint, as printed."""
    found = COMMAND.search(hint)
    assert found, hint
    code, text = shell(relay, found.group(1))
    if code == 2 and "nobody is there to be asked" in text:
        again = COMMAND.search(text[text.rindex("hint: "):])
        assert again and "--yes" in again.group(1), text
        code, text = shell(relay, again.group(1))
        if code == 0:
            RAN.add("not_confirmed")
    assert code == 0, (hint, text)
    RAN.add(reason)
    return text


def mend_sql(case, reason, hint):
    """The statement of the hint, as printed."""
    found = STATEMENT.search(hint)
    assert found, hint
    code, text = case.pg.psql("-c", found.group(1), dbname=case.db)
    assert code == 0, (hint, text)
    RAN.add(reason)


def starts(case, relay):
    case.command(relay, "check", "--connect")
    case.start(relay)
    case.stop(relay)


def kafka_scripts(case):
    """A directory with the scripts, and the login of an administrator for those that name it."""
    bin = os.path.join(case.dir, "bin")
    os.makedirs(bin)
    admin = os.path.join(bin, "admin.properties")
    with open(admin, "w") as file:
        file.write("security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n"
                   "sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule"
                   " required username=\"admin\" password=\"admin\";\n")
    for name, main in SCRIPTS.items():
        path = os.path.join(bin, name)
        with open(path, "w") as file:
            file.write('#!/bin/sh\nexec %s -cp "%s/*" %s "$@"\n' % (case.kafka.java, case.kafka.jars, main))
        os.chmod(path, 0o755)
    return bin


def mend_kafka(relay, bin, reason, hint):
    """The line of the hint that is Kafka's own tool, as printed."""
    found = KAFKA.search(hint)
    assert found, hint
    environment = dict(relay._env(None), PATH=bin + os.pathsep + os.environ["PATH"])
    done = subprocess.run(["sh", "-c", found.group(1)], env=environment, cwd=bin, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=60, check=False)
    assert done.returncode == 0, (hint, done.stdout)
    RAN.add(reason)
