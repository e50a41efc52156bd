"""SIGTERM and SIGINT, heard in a thread of their own.

What could go wrong. Python runs a signal handler in the main thread, between two of its instructions. If that thread
holds a lock and the handler needs it, both wait for ever. And if the kernel hands the signal to another thread, as it
does where the main one has just been continued (`kill -CONT`, a thawed container), nothing wakes a main thread that
waits for a lock: the process lives on until somebody kills it.

The rule. The interpreter's C handler writes the signal's number into a socket, whichever thread it interrupts
(https://docs.python.org/3/library/signal.html#signal.set_wakeup_fd). A thread reads from it and may wait for any lock.
"""

import signal
import socket
import sys
import threading
from collections.abc import Callable

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def when_told_to_stop(stop: Callable[[], None]) -> None:
    """`stop` is called for each signal, in another thread. Only in the main thread, and once in a process."""
    heard, told = socket.socketpair()
    told.setblocking(False)
    # First the thread, which may not be had. It keeps both ends for as long as the process lives.
    threading.Thread(target=_listen, args=(heard, told, stop), daemon=True, name="signals").start()
    signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    for number in SIGNALS:
        signal.signal(number, lambda *_: None)


def _listen(heard: socket.socket, _told: socket.socket, stop: Callable[[], None]) -> None:
    while numbers := heard.recv(64):
        if set(numbers) & set(SIGNALS):
            stop()


def end_like_an_interrupt() -> None:
    """For a verb that a person watches: SIGTERM, and SIGHUP when the terminal is closed, end it as Ctrl-C does, so that
    what it laid down for itself goes with it. What the parent ignores (`nohup`) stays ignored."""
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))  # a server has its own way to stop
