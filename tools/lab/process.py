"""Child processes that do not outlive us, and the unprivileged user that servers run as.

PR_SET_PDEATHSIG fires when the *thread* that forked ends, so all children are forked by one thread
that lives as long as the process does. Children get a session of their own: a Ctrl-C at the
terminal reaches us, and we stop them in order.
"""

import atexit
import os
import pwd
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
import time

_requests = queue.Queue()
_lock = threading.Lock()
_thread = None
_live = []


def _forker():
    while True:
        args, kwargs, answer = _requests.get()
        try:
            answer.put((subprocess.Popen(args, **kwargs), None))
        except BaseException as error:  # handed over to the caller, whatever it is
            answer.put((None, error))


def spawn(args, user=None, death_signal="KILL", keep=False, **kwargs):
    """Popen(args) that ends with us by death_signal, or stays where keep is true.

    user: the name of the user it runs as; only root may ask for another one.
    """
    global _thread
    prefix = ["setpriv"]
    if not keep:
        prefix += ["--pdeathsig", death_signal]
    if user is not None and os.geteuid() == 0:
        entry = pwd.getpwnam(user)
        prefix += ["--reuid", str(entry.pw_uid), "--regid", str(entry.pw_gid), "--clear-groups"]
    args = [str(arg) for arg in args]
    if len(prefix) > 1:
        args = prefix + ["--"] + args
    kwargs.setdefault("stdin", subprocess.DEVNULL)
    kwargs.setdefault("start_new_session", True)
    with _lock:
        if _thread is None:
            _thread = threading.Thread(target=_forker, name="lab-forker", daemon=True)
            _thread.start()
    answer = queue.Queue()
    _requests.put((args, kwargs, answer))
    child, error = answer.get()
    if error is not None:
        raise error
    if not keep:
        with _lock:
            _live[:] = [other for other in _live if other.poll() is None]
            _live.append(child)
    return child


def unprivileged():
    """The user that servers run as: None (ourselves) unless we are root.

    Not `postgres`: on a machine with a real server that user owns the real data.
    """
    return "nobody" if os.geteuid() == 0 else None


def give(path, user):
    """Make path (a directory tree, made here if missing) belong to user, and reachable for it.

    Directories above it are opened for passing through only below the temporary directory;
    elsewhere a closed one is an error that names it.
    """
    os.makedirs(path, exist_ok=True)
    if user is None or os.geteuid() != 0:
        return
    temporary = os.path.realpath(tempfile.gettempdir())
    above = os.path.dirname(os.path.realpath(path))
    while above != "/":
        mode = os.stat(above).st_mode
        if not mode & 0o001:
            if not above.startswith(temporary + os.sep):
                raise RuntimeError("user %s cannot pass through %s; choose a directory below %s"
                                   % (user, above, temporary))
            os.chmod(above, mode | 0o011)
        above = os.path.dirname(above)
    entry = pwd.getpwnam(user)
    os.chown(path, entry.pw_uid, entry.pw_gid)
    for root, dirs, files in os.walk(path):
        for name in dirs + files:
            os.chown(os.path.join(root, name), entry.pw_uid, entry.pw_gid, follow_symlinks=False)


def wait_for(what, probe, timeout, child=None, log=None, interval=0.02):
    """Call probe() until it gives something true; raise with the end of log when it never does."""
    deadline = time.monotonic() + timeout
    while True:
        ended = child is not None and child.poll() is not None  # before the probe: its last words count
        value = probe()
        if value:
            return value
        if ended or time.monotonic() > deadline:
            why = "ended with code %s" % child.returncode if ended else "%g s passed" % timeout
            raise RuntimeError("%s: %s%s" % (what, why, tail(log)))
        time.sleep(interval)


def tail(path, lines=25):
    """The last lines of a log file, ready to be put behind an error text."""
    if path is None or not os.path.exists(path):
        return ""
    with open(path, errors="replace") as file:
        last = file.readlines()[-lines:]
    return "\n--- end of %s\n%s" % (path, "".join(last))


def end(child, number=signal.SIGTERM, timeout=20):
    """Send a signal, wait, and SIGKILL what is still there after timeout. Returns the exit code."""
    if child.poll() is None:
        child.send_signal(number)
        try:
            child.wait(timeout)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(10)
    return child.returncode


def remove(path):
    """Remove a directory tree that is ours; a file that vanishes meanwhile is no error."""
    shutil.rmtree(path, ignore_errors=True)


@atexit.register
def _end_all():
    for child in reversed(_live):
        if child.poll() is None:
            child.kill()
