"""Servers can be started by a user who is not root, to end with us and to stay."""

import os
import pwd
import sys
import traceback

import e2e

process = e2e.lab.process

# In a process of its own, which nothing of root's is left to; the checkout may be closed to nobody.
child = os.fork()
if child == 0:
    code = 1
    try:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(pwd.getpwnam("nobody").pw_gid)
            os.setuid(pwd.getpwnam("nobody").pw_uid)
        for keep in (False, True):
            assert process.spawn(["sleep", 0], keep=keep).wait(10) == 0
        code = 0
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    os._exit(code)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
