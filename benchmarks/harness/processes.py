"""Child processes of a suite: commands go in as lines, events come out as lines of JSON."""

from __future__ import annotations

import ctypes
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from hydranet_ros.errors import BenchError

TIMEOUT = 300.0
"""Seconds after which a silent child counts as hanging."""
STOP_TIMEOUT = 60.0
_EVENT_PREFIX = '@'
_LOG_LINES = 15
_CPU_OF_ALL_THREADS = 2
_MINOR_FAULTS = 9 - 2
_PR_SET_PDEATHSIG = 1
_RUNNABLE = 'R'

_libc = ctypes.CDLL(None)


def _end_with_parent() -> None:
    """Let the kernel send SIGINT to this child when its parent dies."""
    # A shell makes its background processes ignore SIGINT, and children inherit that.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of all threads of a process, in seconds."""
    # The clock id of clock_getcpuclockid(); /proc/PID/stat counts in steps of 10 ms.
    return time.clock_gettime(~pid << 3 | _CPU_OF_ALL_THREADS)


def threads_at_work(pid: int) -> int:
    """Return the number of running or runnable threads of a process, without the caller's."""
    count = 0
    for task in Path(f'/proc/{pid}/task').iterdir():
        with suppress(OSError):  # the thread has ended
            state = (task / 'stat').read_text().rpartition(')')[2].split()[0]
            count += state == _RUNNABLE and task.name != str(threading.get_native_id())
    return count


class Process:
    """
    A child process with a log file; as a context manager it is ended with SIGINT.

    :param environment: complete environment of the child.
    :param log: file for its output, except for events (see :meth:`next_event`).
    :param folder: working folder of the child; ``None`` for that of the parent.
    """

    def __init__(
        self, command: list[str], environment: Mapping[str, str], log: Path,
        folder: Path | None = None,
    ) -> None:  # fmt: skip
        self.log = log
        self._events: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._popen = subprocess.Popen(
            command, env=dict(environment), text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors='replace', bufsize=1,
            preexec_fn=_end_with_parent, cwd=folder,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @classmethod
    def of_module(
        cls, module: str, *arguments: str, environment: Mapping[str, str], log: Path,
        folder: Path | None = None,
    ) -> Process:  # fmt: skip
        """Start a Python module with this interpreter."""
        return cls([sys.executable, '-m', module, *arguments], environment, log, folder)

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._popen.pid

    def _read(self) -> None:
        assert self._popen.stdout is not None
        with self.log.open('w', encoding='utf-8') as log:
            for line in self._popen.stdout:
                if line.startswith(_EVENT_PREFIX):
                    self._events.put(json.loads(line[len(_EVENT_PREFIX) :]))
                else:
                    log.write(line)
                    log.flush()

    def send(self, *words: object) -> None:
        """
        Send a command: the words of one line.

        :raises BenchError: if the child has ended.
        """
        assert self._popen.stdin is not None
        try:
            print(*words, file=self._popen.stdin, flush=True)
        except OSError:
            raise self._ended() from None

    def next_event(self, timeout: float = TIMEOUT) -> dict[str, Any]:
        """
        Return the next event of the child.

        :raises BenchError: if the child ended, or sent no event within ``timeout`` seconds.
        """
        found = self.poll_event(timeout)
        if found is None:
            raise BenchError(f'{self.name} sent no event for {timeout:.0f} s.{self._tail()}')
        return found

    def poll_event(self, timeout: float) -> dict[str, Any] | None:
        """
        Return the next event, or ``None`` if there is none within ``timeout`` seconds.

        :raises BenchError: if the child ended.
        """
        until = time.monotonic() + timeout
        while True:
            left = until - time.monotonic()
            try:
                return self._events.get(timeout=max(0.001, min(0.2, left)))
            except queue.Empty:
                self.check_running()
                if left < 0:
                    return None

    def pending_events(self) -> list[dict[str, Any]]:
        """Return all events that have arrived and were not returned yet."""
        found = []
        while not self._events.empty():
            found.append(self._events.get())
        return found

    def check_running(self) -> None:
        """
        Check that the child is running.

        :raises BenchError: if it has ended.
        """
        if self._popen.poll() is not None:
            raise self._ended()

    def wait_for_log(self, text: str, failure: str, timeout: float = TIMEOUT) -> None:
        """
        Wait until the log contains ``text``.

        :param failure: text that is logged instead if the child cannot do its work.
        :raises BenchError: if the child fails or ends before, or ``timeout`` seconds pass.
        """
        until = time.monotonic() + timeout
        while text not in (log := self._read_log()):
            self.check_running()
            if failure in log:
                raise BenchError(f'{self.name} failed.{self._tail()}')
            if time.monotonic() > until:
                raise BenchError(
                    f'{self.name} did not log {text!r} within {timeout:.0f} s.{self._tail()}'
                )
            time.sleep(0.02)

    @property
    def name(self) -> str:
        """Return the command, shortened for messages."""
        arguments = self._popen.args
        assert isinstance(arguments, list)
        return ' '.join(str(word) for word in arguments[1:5])

    def _ended(self) -> BenchError:
        status = self._popen.wait()
        self._reader.join(STOP_TIMEOUT)
        return BenchError(f'{self.name} ended with status {status}.{self._tail()}')

    def _read_log(self) -> str:
        return self.log.read_text(errors='replace') if self.log.is_file() else ''

    def _tail(self) -> str:
        lines = self._read_log().splitlines()
        return ' Last lines of its log:\n' + '\n'.join(lines[-_LOG_LINES:])

    def cpu_seconds(self) -> float:
        """Return the CPU time of all its threads, in seconds."""
        return cpu_seconds(self.pid)

    def resident_bytes(self) -> int:
        """Return its resident memory, in bytes."""
        pages = int(Path(f'/proc/{self.pid}/statm').read_text().split()[1])
        return pages * os.sysconf('SC_PAGE_SIZE')

    def page_faults(self) -> int:
        """Return the number of minor page faults so far."""
        fields = Path(f'/proc/{self.pid}/stat').read_text().rpartition(')')[2].split()
        return int(fields[_MINOR_FAULTS])

    def stop(self) -> tuple[int, float]:
        """End the child with SIGINT, at the timeout with SIGKILL; return status and seconds."""
        started = time.monotonic()
        if self._popen.poll() is None:
            self._popen.send_signal(signal.SIGINT)
        try:
            self._popen.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._popen.kill()
        status = self._popen.wait()
        took = time.monotonic() - started
        self._reader.join(STOP_TIMEOUT)
        for pipe in (self._popen.stdin, self._popen.stdout):
            if pipe is not None:
                pipe.close()
        return status, took

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.stop()


def emit_event(**values: Any) -> None:
    """Send an event from the child to the suite."""
    print(f'{_EVENT_PREFIX}{json.dumps(values)}', flush=True)


class Commands:
    """Commands that a child receives on stdin; a thread reads them while the child works."""

    def __init__(self) -> None:
        self._lines: queue.SimpleQueue[list[str]] = queue.SimpleQueue()
        self.ended = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin:
            self._lines.put(line.split())
        self.ended.set()

    def serve(self, execute: Callable[[list[str]], None], idle: Callable[[], object]) -> None:
        """Execute commands as they arrive, and ``idle`` between them, until stdin is closed."""
        while not self.ended.is_set():
            idle()
            while not self._lines.empty():
                execute(self._lines.get())
