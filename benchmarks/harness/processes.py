"""Child processes of a benchmark: commands go in as lines, facts come out as lines of JSON."""

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

START_LIMIT = 60.0
STOP_LIMIT = 10.0
_FACTS = '@'
_LOG_LINES = 15
_CPU_OF_ALL_THREADS = 2
_MINOR_FAULTS = 9 - 2
_PR_SET_PDEATHSIG = 1
_RUNNABLE = 'R'


_libc = ctypes.CDLL(None)


def _end_with_parent() -> None:
    """Let the kernel end this child when the benchmark dies, however that happens."""
    # A shell has what it starts in the background ignore SIGINT, and children inherit that.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of all threads of a process so far, in seconds."""
    # The number that clock_getcpuclockid() gives; /proc/PID/stat counts in steps of 10 ms.
    return time.clock_gettime(~pid << 3 | _CPU_OF_ALL_THREADS)


def threads_at_work(pid: int) -> int:
    """Return how many threads of a process run or wait for a core; the caller's does not count."""
    count = 0
    for task in Path(f'/proc/{pid}/task').iterdir():
        with suppress(OSError):  # it ended meanwhile
            state = (task / 'stat').read_text().rpartition(')')[2].split()[0]
            count += state == _RUNNABLE and task.name != str(threading.get_native_id())
    return count


class Process:
    """
    A child process; its log goes to a file. As a context it is ended as a user would: SIGINT.

    :param environment: of the child, whole.
    :param log: file that takes what it writes, but for the facts (see :meth:`fact`).
    """

    def __init__(self, command: list[str], environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        self._facts: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._popen = subprocess.Popen(
            command, env=dict(environment), text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors='replace', bufsize=1,
            preexec_fn=_end_with_parent,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @classmethod
    def of_module(
        cls, module: str, *arguments: str, environment: Mapping[str, str], log: Path
    ) -> Process:
        """Start a module of the package with this interpreter."""
        return cls([sys.executable, '-m', module, *arguments], environment, log)

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._popen.pid

    def _read(self) -> None:
        assert self._popen.stdout is not None
        with self.log.open('w', encoding='utf-8') as log:
            for line in self._popen.stdout:
                if line.startswith(_FACTS):
                    self._facts.put(json.loads(line[len(_FACTS) :]))
                else:
                    log.write(line)
                    log.flush()

    def tell(self, *words: object) -> None:
        """Send a command: words of one line."""
        assert self._popen.stdin is not None
        try:
            print(*words, file=self._popen.stdin, flush=True)
        except OSError:
            raise self._ended() from None

    def fact(self, timeout: float = START_LIMIT) -> dict[str, Any]:
        """
        Return the next fact that the child said.

        :raises BenchError: if it ended, or said nothing for ``timeout`` seconds.
        """
        found = self.fact_or_none(timeout)
        if found is None:
            raise BenchError(f'{self.name} said nothing for {timeout:.0f} s.{self._tail()}')
        return found

    def fact_or_none(self, timeout: float) -> dict[str, Any] | None:
        """
        Return the next fact, or ``None`` if there is none within ``timeout`` seconds.

        :raises BenchError: if the child ended.
        """
        until = time.monotonic() + timeout
        while True:
            left = until - time.monotonic()
            try:
                return self._facts.get(timeout=max(0.001, min(0.2, left)))
            except queue.Empty:
                if self._popen.poll() is not None:
                    raise self._ended() from None
                if left < 0:
                    return None

    def facts(self) -> list[dict[str, Any]]:
        """Return all that the child said and was not asked for yet."""
        found = []
        while not self._facts.empty():
            found.append(self._facts.get())
        return found

    def wait_for_log(self, mark: str, timeout: float = START_LIMIT) -> None:
        """
        Wait until the log holds ``mark``.

        :raises BenchError: if the process ends before, or it takes longer than ``timeout``.
        """
        until = time.monotonic() + timeout
        while not self.log.is_file() or mark not in self.log.read_text(errors='replace'):
            if self._popen.poll() is not None:
                raise self._ended()
            if time.monotonic() > until:
                raise BenchError(f'{self.name}: no {mark!r} in {timeout:.0f} s.{self._tail()}')
            time.sleep(0.02)

    @property
    def name(self) -> str:
        """What runs, for messages."""
        arguments = self._popen.args
        assert isinstance(arguments, list)
        return ' '.join(str(word) for word in arguments[1:5])

    def _ended(self) -> BenchError:
        return BenchError(f'{self.name} ended with {self._popen.wait()}.{self._tail()}')

    def _tail(self) -> str:
        lines = self.log.read_text(errors='replace').splitlines() if self.log.is_file() else []
        return ' Its last lines:\n' + '\n'.join(lines[-_LOG_LINES:])

    def cpu_seconds(self) -> float:
        """Return the CPU time of all its threads so far, in seconds."""
        return cpu_seconds(self.pid)

    def resident_bytes(self) -> int:
        """Return its resident memory, in bytes."""
        pages = int(Path(f'/proc/{self.pid}/statm').read_text().split()[1])
        return pages * os.sysconf('SC_PAGE_SIZE')

    def page_faults(self) -> int:
        """Return how often it got a page of memory from the kernel so far."""
        fields = Path(f'/proc/{self.pid}/stat').read_text().rpartition(')')[2].split()
        return int(fields[_MINOR_FAULTS])

    def stop(self) -> tuple[int, float]:
        """End it by SIGINT, after ten seconds by force; return its exit status and the seconds."""
        started = time.monotonic()
        if self._popen.poll() is None:
            self._popen.send_signal(signal.SIGINT)
        try:
            self._popen.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self._popen.kill()
        status = self._popen.wait()
        took = time.monotonic() - started
        self._reader.join(STOP_LIMIT)
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


def say_fact(**values: Any) -> None:
    """In the child: tell the benchmark something."""
    print(f'{_FACTS}{json.dumps(values)}', flush=True)


class Commands:
    """In the child: the lines of stdin, read beside the work; ``ended`` when there are no more."""

    def __init__(self) -> None:
        self._lines: queue.SimpleQueue[list[str]] = queue.SimpleQueue()
        self.ended = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin:
            self._lines.put(line.split())
        self.ended.set()

    def serve(self, work: Callable[[list[str]], None], rest: Callable[[], object]) -> None:
        """Do each command as it comes, and ``rest`` between them, until stdin is closed."""
        while not self.ended.is_set():
            rest()
            while not self._lines.empty():
                work(self._lines.get())
