"""The oldest release, 0.1.0, built from the commit that its CHANGELOG ends with."""

import os
import subprocess
import sys

import e2e

# The oldest commit whose CHANGELOG has something behind 0.1.0 comes right after it.
BEHIND = ["log", "--format=%H", "-S## Unreleased", "--", "CHANGELOG.md"]


def git(*arguments):
    return subprocess.run(["git", "-C", e2e.ROOT, *arguments], stdout=subprocess.PIPE, check=True).stdout


def build_0_1_0():
    """Its program; built once for each commit."""
    try:
        commit = git("rev-parse", git(*BEHIND).decode().split()[-1] + "^").decode().strip()
    except (OSError, subprocess.CalledProcessError, IndexError):
        print("skipped: no history, so no 0.1.0")
        sys.exit(77)
    tree = os.path.join(e2e.ROOT, "build", "old", commit[:12])
    program = os.path.join(tree, "build", "walferry")
    if not os.path.exists(program):
        os.makedirs(tree, exist_ok=True)
        subprocess.run(["tar", "-x", "-C", tree], input=git("archive", commit), check=True)
        made = subprocess.run(["make", "-s", "-j2", "-C", tree, "all"], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True,
                              env={k: v for k, v in os.environ.items() if not k.startswith("MAKE")})
        assert made.returncode == 0, made.stdout[-3000:]
    return program
