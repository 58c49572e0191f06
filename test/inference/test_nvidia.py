"""The NVIDIA driver, read from libraries with the driver's functions, compiled for the test."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import pytest

from hydranet_ros.inference.nvidia import (
    Driver,
    Gpu,
    driver_loads,
    driver_problem,
    find_driver,
    gpu_name,
    wait_without_spinning,
)

NOWHERE = 'libnowhere.so.1'
ORIN = Gpu(0, 'Orin', (8, 7), 1 << 35)
SOURCE = """
#include <stdio.h>
#include <stddef.h>
int cuDriverGetVersion(int* v) { *v = VERSION; return 0; }
int cuInit(unsigned f) { return INIT; }
int cuGetErrorString(int e, const char** s) { *s = e == 100 ? "no CUDA-capable device" : 0;
                                              return 0; }
int cuDeviceGetCount(int* n) { *n = COUNT; return 0; }
int cuDeviceGet(int* d, int n) { *d = 10 + n; return 0; }
int cuDeviceGetName(char* s, int n, int d) { snprintf(s, n, "GPU of %d", d); return 0; }
int cuDeviceTotalMem_v2(size_t* n, int d) { *n = (size_t)d << 32; return 0; }
int cuDeviceGetAttribute(int* v, int a, int d) { *v = a == 75 ? 8 : a == 76 ? 7 : -1; return 0; }
static unsigned flags = FLAGS;
int cuDevicePrimaryCtxGetState(int d, unsigned* f, int* a) { *f = flags; *a = ACTIVE; return 0; }
int cuDevicePrimaryCtxSetFlags_v2(int d, unsigned f) { flags = d == 11 ? f : 0; return 0; }
int nvmlInit_v2(void) { return 0; }
int nvmlShutdown(void) { return 0; }
int nvmlSystemGetDriverVersion(char* s, unsigned n) { snprintf(s, n, "580.65.06"); return 0; }
"""


def compile_driver(
    folder: Path, *, version: int = 13000, init: int = 0, count: int = 2, flags: int = 8,
    active: int = 0, source: str = SOURCE,
) -> str:  # fmt: skip
    compiler = shutil.which('gcc') or shutil.which('cc')
    if compiler is None:
        pytest.skip('no C compiler: apt install gcc')
    code, library = folder / 'driver.c', folder / 'driver.so'
    code.write_text(source, encoding='utf-8')
    values = [f'-DVERSION={version}', f'-DINIT={init}', f'-DCOUNT={count}', f'-DFLAGS={flags}',
              f'-DACTIVE={active}']  # fmt: skip
    subprocess.run([compiler, '-shared', '-fPIC', *values, '-o', library, code], check=True)
    return str(library)


def test_the_gpus_have_the_order_of_the_driver(tmp_path):
    library = compile_driver(tmp_path)
    assert driver_loads(library)
    assert find_driver(library, library) == Driver(
        '580.65.06', (13, 0),
        (Gpu(0, 'GPU of 10', (8, 7), 10 << 32), Gpu(1, 'GPU of 11', (8, 7), 11 << 32)),
    )  # fmt: skip


def test_without_a_driver_there_are_no_gpus():
    assert not driver_loads(NOWHERE)
    assert find_driver(NOWHERE) is None
    assert 'there is no NVIDIA driver' in driver_problem('13.0', 0, None)


def test_a_hidden_gpu_is_an_error_of_the_driver_and_not_an_exception(tmp_path):
    driver = find_driver(compile_driver(tmp_path, init=100), NOWHERE)
    assert driver == Driver(
        '', (13, 0), (), 'cuInit failed with the error 100 (no CUDA-capable device)'
    )
    assert 'cuInit failed with the error 100' in driver_problem('13.0', 0, driver)


def test_an_unknown_error_code_and_a_driver_without_gpus_are_described(tmp_path):
    unknown = find_driver(compile_driver(tmp_path, init=7), NOWHERE)
    assert unknown.error == 'cuInit failed with the error 7 (unknown error)'
    (tmp_path / 'none').mkdir()
    none = find_driver(compile_driver(tmp_path / 'none', count=0), NOWHERE)
    assert none.error == 'no GPU is visible to this process'


def test_a_library_that_is_not_a_driver_is_an_error_of_the_driver(tmp_path):
    library = compile_driver(tmp_path, source='int nothing;')
    driver = find_driver(library, library)
    assert driver.gpus == () and 'cuDriverGetVersion' in driver.error and driver.version == ''


def test_a_driver_too_old_for_cuda_13_is_named_with_the_branch_that_is_needed():
    old = Driver('535.183.01', (12, 2), (ORIN,))
    assert driver_problem('13.0', 0, old) == (
        'the NVIDIA driver 535.183.01 supports CUDA 12.2, and the installed onnxruntime needs '
        'CUDA 13: update the driver to r580 or newer'
    )
    assert 'r525 or newer' in driver_problem('12.8', 0, Driver('470.1', (11, 4), (ORIN,)))


def test_a_driver_that_is_new_enough_has_no_problem():
    for cuda, version in (((12, 2), '12.8'), ((13, 1), '12.8'), ((13, 0), '13.0'), ((12, 2), '')):
        assert driver_problem(version, 0, Driver('', cuda, (ORIN,))) is None


def test_a_gpu_that_does_not_exist_is_named_with_those_that_do():
    assert driver_problem('', 1, Driver('', (13, 0), (ORIN,))) == (
        'there is no GPU 1; this process may use 0 (Orin)'
    )


def test_the_name_of_a_gpu_is_that_of_its_number():
    driver = find_driver()
    gpus = driver.gpus if driver else ()
    assert [gpu_name(gpu.number) for gpu in gpus] == [gpu.name for gpu in gpus]
    assert gpu_name(len(gpus)) == ''


@pytest.mark.parametrize(
    ('flags', 'active', 'sleeps', 'kept'),
    [(8, 0, True, 12), (8, 1, False, 8), (9, 0, False, 9), (4, 1, True, 4)],
    ids=['unused GPU', 'GPU in use', 'spinning chosen elsewhere', 'chosen before'],
)
def test_waiting_threads_sleep_unless_another_library_chose_otherwise(
    tmp_path, flags, active, sleeps, kept
):
    library = compile_driver(tmp_path, flags=flags, active=active)
    assert wait_without_spinning(1, library) is sleeps
    found = ctypes.c_uint()
    ctypes.CDLL(library).cuDevicePrimaryCtxGetState(
        11, ctypes.byref(found), ctypes.byref(ctypes.c_int())
    )
    assert found.value == kept, 'other flags stay as they were'


def test_without_a_working_driver_nothing_is_chosen(tmp_path):
    assert not wait_without_spinning(0, NOWHERE)
    assert not wait_without_spinning(0, compile_driver(tmp_path, init=100))
    (tmp_path / 'none').mkdir()
    assert not wait_without_spinning(0, compile_driver(tmp_path / 'none', source='int nothing;'))
