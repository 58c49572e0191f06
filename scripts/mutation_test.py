"""
Measure which mutants of a package the modules' own test files kill, with cosmic-ray.

Run ``.venv/bin/python scripts/mutation_test.py camera images perception bags ros``. Each module
``hydranet_ros/<package>/<module>.py`` is tested by ``test/<package>/test_<module>.py`` alone, in a
temporary copy of the checkout. ``--sample`` draws that many mutants of each package; without it
every mutant runs, which takes hours. ``--modules`` restricts the packages to the named modules:
``ros --modules player --sample 25`` draws 25 mutants of ``hydranet_ros/ros/player.py``.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import TestOutcome, WorkerOutcome, WorkItem, WorkResult

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ('camera', 'images', 'perception', 'bags', 'ros')
# Annotations are not evaluated (from __future__ import annotations), so these mutants of "X | Y"
# and of decorators' arguments are equivalent to the original.
EQUIVALENT = ('core/ReplaceBinaryOperator_BitOr_',)
CONFIG = """
[cosmic-ray]
module-path = "{module}"
timeout = 120.0
excluded-modules = []
test-command = "{python} -m pytest -x -q -p no:cacheprovider {test}"

[cosmic-ray.distributor]
name = "local"
"""


@dataclass(frozen=True)
class Mutant:
    """One mutant that ran: where, what was changed, and whether a test failed."""

    module: str
    line: int
    operator: str
    killed: bool
    diff: str


def main() -> int:
    """Run the sampled mutants; return 1 if fewer than ``--at-least`` percent are killed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('packages', nargs='*', default=PACKAGES)
    parser.add_argument(
        '--modules', nargs='+', default=(), metavar='NAME',
        help='mutate only these modules of the packages, named without .py; by default all',
    )  # fmt: skip
    parser.add_argument('--sample', type=int, default=0, help='mutants per package; 0: all')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--at-least', type=float, default=85.0, help='percent killed')
    parser.add_argument('--json', type=Path, help='write every mutant')
    options = parser.parse_args()
    missing = unknown_modules(options.packages, options.modules)
    if missing:
        parser.error(f'no module {", ".join(missing)} in {", ".join(options.packages)}')
    found: list[Mutant] = []
    enough = True
    with checkout_copy() as copy:
        for package in options.packages:
            mutants = list(
                run_package(copy, package, options.modules, options.sample, options.seed)
            )
            found += mutants
            enough = report(package, mutants, options.at_least) and enough
    if options.json:
        rows = [asdict(item) for item in found]
        options.json.write_text(json.dumps(rows, indent=1), encoding='utf-8')
    return int(not enough)


def unknown_modules(packages: Sequence[str], modules: Sequence[str]) -> list[str]:
    """Return the names that no module of the packages has."""
    return [name for name in modules
            if not any((ROOT / 'hydranet_ros' / package / f'{name}.py').is_file()
                       for package in packages)]  # fmt: skip


@contextmanager
def checkout_copy() -> Iterator[Path]:
    """Copy the tracked files, which mutation changes in place, to a temporary folder."""
    with tempfile.TemporaryDirectory(prefix='mutation_') as folder:
        copy = Path(folder) / 'checkout'
        command = ['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard']
        names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
        for name in names.decode().split('\0'):
            if name and (ROOT / name).is_file():
                target = copy / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, target)
        yield copy


def run_package(
    copy: Path, package: str, modules: Sequence[str], sample: int, seed: int
) -> Iterator[Mutant]:
    """
    Run the mutants of a package's modules that have a test file; name those that have none.

    :param modules: names of the modules to mutate; empty for all.
    """
    sessions = {}
    for module in sorted((copy / 'hydranet_ros' / package).glob('*.py')):
        test = copy / 'test' / package / f'test_{module.stem}.py'
        if module.stem == '__init__' or (modules and module.stem not in modules):
            continue
        if not test.is_file():
            print(f'{package}/{module.name}: no test file of its own', flush=True)
            continue
        sessions[module] = new_session(copy, module, test)
    chosen = draw(sessions, sample, seed)
    for module, (config, database) in sessions.items():
        if not chosen.get(module):
            continue
        with use_db(str(database)) as db:
            skip_all_but(db, chosen[module])
        print(f'{package}/{module.name}: {len(chosen[module])} mutants', flush=True)
        subprocess.run(
            [sys.executable, '-m', 'cosmic_ray.cli', 'exec', str(config), str(database)],
            cwd=copy, check=True,
        )  # fmt: skip
        with use_db(str(database)) as db:
            yield from results(db, f'{package}/{module.name}')


def new_session(copy: Path, module: Path, test: Path) -> tuple[Path, Path]:
    """Write cosmic-ray's configuration and list the mutants of a module."""
    config = copy / f'{module.stem}.toml'
    database = copy / f'{module.stem}.sqlite'
    config.write_text(
        CONFIG.format(
            module=module.relative_to(copy), test=test.relative_to(copy), python=sys.executable
        ),
        encoding='utf-8',
    )
    subprocess.run(
        [sys.executable, '-m', 'cosmic_ray.cli', 'init', str(config), str(database)],
        cwd=copy, check=True,
    )  # fmt: skip
    return config, database


def draw(sessions: dict[Path, tuple[Path, Path]], sample: int, seed: int) -> dict[Path, set[str]]:
    """Return the job ids to run of each module; the same seed draws the same mutants."""
    jobs: list[tuple[Path, WorkItem]] = []
    for module, (_, database) in sessions.items():
        with use_db(str(database)) as db:
            jobs += [(module, item) for item in db.work_items if not is_equivalent(item)]
    jobs.sort(key=lambda job: (job[0].name, place(job[1])))
    if sample and sample < len(jobs):
        jobs = random.Random(seed).sample(jobs, sample)
    chosen: dict[Path, set[str]] = {}
    for module, item in jobs:
        chosen.setdefault(module, set()).add(item.job_id)
    return chosen


def place(item: WorkItem) -> tuple:
    """Return what identifies a mutant in every session of the same source."""
    step = item.mutations[0]
    return step.start_pos, step.operator_name, step.occurrence


def is_equivalent(item: WorkItem) -> bool:
    """Return whether every mutation of a work item leaves the program as it is."""
    return all(step.operator_name.startswith(EQUIVALENT) for step in item.mutations)


def skip_all_but(db: WorkDB, chosen: set[str]) -> None:
    """Mark every other mutant as skipped."""
    skipped = WorkResult(worker_outcome=WorkerOutcome.SKIPPED)
    others = [item.job_id for item in db.work_items if item.job_id not in chosen]
    db.set_multiple_results(others, skipped)


def results(db: WorkDB, module: str) -> Iterator[Mutant]:
    """Yield the mutants that ran."""
    items = {item.job_id: item.mutations[0] for item in db.work_items}
    for job, result in db.results:
        if result.worker_outcome is WorkerOutcome.SKIPPED:
            continue
        mutation = items[job]
        killed = result.test_outcome is not TestOutcome.SURVIVED
        yield Mutant(
            module, mutation.start_pos[0], mutation.operator_name, killed, result.diff or ''
        )


def report(package: str, mutants: list[Mutant], at_least: float) -> bool:
    """Print the survivors of a package; return whether enough mutants were killed."""
    if not mutants:
        print(f'{package}: no mutants')
        return True
    survivors = [item for item in mutants if not item.killed]
    for item in survivors:
        changed = [line for line in item.diff.splitlines()
                   if line[:1] in '+-' and line[:3] not in ('+++', '---')]  # fmt: skip
        print(f'  survived: {item.module}:{item.line} {" ".join(changed)[:160]}')
    share = 100 * (1 - len(survivors) / len(mutants))
    print(f'{package}: {len(mutants) - len(survivors)} of {len(mutants)} killed, {share:.1f} %')
    return share >= at_least


if __name__ == '__main__':
    sys.exit(main())
