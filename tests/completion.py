#!/usr/bin/python3
"""Completions, asked of the shells themselves: each must offer what the program has, and no more.

  tests/completion.py            bash, zsh and fish; one that is not installed is a failure

What is right is read from `walferry help` and `walferry COMMAND --help` of build/walferry, or of
WALFERRY in the environment, so that a file that is out of step with the program fails, too.
"""

import os
import pty
import re
import select
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = os.environ.get("WALFERRY", os.path.join(ROOT, "build", "walferry"))
DIR = os.environ.get("WALFERRY_COMPLETION", os.path.join(ROOT, "config", "completion"))


def help_of(*words):
    return subprocess.run([PROGRAM, *words], stdout=subprocess.PIPE, text=True, check=True).stdout


def commands():
    return re.findall(r"^  ([a-z-]+) ", help_of("help"), re.M)


def options(command):
    return set(re.findall(r"^  (?:-., )?(--[a-z-]+)", help_of(command, "--help"), re.M))


# ---- the shells ----

def bash(line):
    words = line.split(" ")
    script = """
        source "$0/walferry.bash"
        complete -p walferry | grep -q -- '-F _walferry' || exit 3
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _walferry
        printf '%s\\n' "${COMPREPLY[@]}"
        """
    done = subprocess.run(["bash", "--norc", "-c", script, os.path.join(DIR, ""), *words],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return set(done.stdout.split())


def fish(line):
    done = subprocess.run(
        ["fish", "--no-config", "-c", "source $argv[1]; complete -C $argv[2]",
         os.path.join(DIR, "walferry.fish"), line], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, check=False,
        env=dict(os.environ, HOME=tempfile.gettempdir(), TERM="dumb"))
    assert done.returncode == 0, done.stdout
    return {row.split("\t")[0] for row in done.stdout.splitlines()}


class Zsh:
    """One that believes to be at a terminal; what it offers is read from its screen."""

    MARK = "ready>"

    def __init__(self):
        self.child, self.fd = pty.fork()
        if self.child == 0:
            os.environ.update(TERM="dumb", HOME=tempfile.gettempdir(), PS1="")
            os.execvp("zsh", ["zsh", "-f", "-i"])
        self.say("stty cols 4000 rows 200; PS1='%s'; PROMPT_SP=; LISTMAX=0; setopt NO_BEEP AUTO_LIST\n"
                 % self.MARK)
        self.say("fpath=(%s $fpath); autoload -Uz compinit; compinit -u -D\n" % DIR)
        self.say("zstyle ':completion:*' list-packed no; zstyle ':completion:*' verbose yes\n")
        self.read(lambda text: text.count(self.MARK) >= 4, 20)

    def say(self, text):
        os.write(self.fd, text.encode())

    def read(self, enough, seconds):
        text, deadline = "", time.monotonic() + seconds
        while not enough(text) and time.monotonic() < deadline:
            if select.select([self.fd], [], [], 0.1)[0]:
                text += os.read(self.fd, 65536).decode("utf-8", "replace")
        return text

    def ask(self, line):
        self.say("\x15" + line + "\t")
        # The offer, then the prompt with the line once more; silence ends it.
        text, quiet = "", 0
        deadline = time.monotonic() + 10
        while quiet < 8 and time.monotonic() < deadline:
            more = self.read(lambda got: got != "", 0.1)
            quiet = 0 if more else quiet + 1
            text += more
        self.say("\x15")
        self.read(lambda _: False, 0.2)
        return set(re.split(r"[\s=]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x07|\x08", "", text)))

    def go(self, directory):
        self.say("cd %s\n" % directory)
        self.read(lambda _: False, 0.3)

    def close(self):
        os.close(self.fd)
        os.waitpid(self.child, 0)


# ---- what is asked ----

def check(name, ask):
    found = ask("walferry ")
    missing = set(commands()) - found
    assert not missing, "%s: no command %s in %s" % (name, missing, sorted(found))
    assert ask("walferry reb") & {"rebase"}, name + ": reb"
    assert ask("walferry dead-letter ") >= {"list", "show", "retry", "drop"}, name + ": operands"
    assert ask("walferry help ") >= set(commands()), name + ": help"
    for command in commands():
        found = {word for word in ask("walferry %s --" % command) if re.match("--[a-z]", word)}
        assert found == options(command), "%s: %s offers %s, the program has %s" % (
            name, command, sorted(found), sorted(options(command)))
    assert ask("walferry rebase --to ") >= {"slot", "new-slot", "guard", "beginning", "now"}, name
    assert ask("walferry setup --switch-to ") >= {"poll", "wal"}, name + ": --switch-to"


def check_files(name, ask, go=os.chdir):
    """go: changes the directory of the shell."""
    with tempfile.TemporaryDirectory() as directory:
        for file in ("orders.yaml", "other.yaml"):
            with open(os.path.join(directory, file), "w"):
                pass
        before = os.getcwd()
        go(directory)
        try:
            for line in ("walferry run -c o", "walferry check --config o", "walferry check --sample o",
                         "walferry setup --from-debezium o", "walferry config show --config o",
                         "walferry config migrate-from-debezium o"):
                assert ask(line) >= {"orders.yaml", "other.yaml"}, name + ": " + line
            assert not ask("walferry config o") & {"orders.yaml"}, name + ": no file before the operand"
            assert not ask("walferry dead-letter list ") & {"show", "drop"}, name + ": an operand twice"
        finally:
            go(before)


def main():
    failed = 0
    for name in ("bash", "fish", "zsh"):
        shell = None
        try:
            if name == "zsh":
                shell = Zsh()
                check(name, shell.ask)
                check_files(name, shell.ask, shell.go)
            else:
                ask = {"bash": bash, "fish": fish}[name]
                check(name, ask)
                check_files(name, ask)
            print("ok " + name)
        except (AssertionError, OSError) as error:
            failed += 1
            print("not ok %s: %s" % (name, error))
        finally:
            if shell is not None:
                shell.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
