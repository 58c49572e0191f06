"""Intel GPUs and NPUs: what the kernel shows, and what OpenVINO sees of it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from hydranet_ros.doctor.checks import Check, Status

SECTION = 'Machine'
SYSTEM = Path('/sys/class')
_INTEL = '0x8086'
_DEVICES = {'GPU': 'drm/renderD*', 'NPU': 'accel/accel*'}
_REMEDIES = {
    'GPU': 'To use it, install the packages intel-opencl-icd and libze-intel-gpu1, and add the '
    'user to the group render.',
    'NPU': "To use it, install Intel's NPU driver (libze1 and intel-level-zero-npu), and add "
    'the user to the group render.',
}  # fmt: skip


def check_intel(seen: Mapping[str, str] | None, system: Path = SYSTEM) -> Check:
    """
    Return the Intel GPUs and NPUs.

    :param seen: OpenVINO's devices, name to description; ``None`` if it is not installed.
    :param system: folder of the kernel's device classes.
    """
    present = {kind: _count(system, pattern) for kind, pattern in _DEVICES.items()}
    used = {name: text for name, text in (seen or {}).items() if name.split('.')[0] in _DEVICES}
    facts = {'kernel': present, 'openvino': None if seen is None else dict(seen)}
    hidden = [
        kind for kind, count in present.items()
        if count and seen is not None and not any(name.startswith(kind) for name in used)
    ]  # fmt: skip
    if hidden:
        text = ', '.join(f'an Intel {kind} that OpenVINO does not see' for kind in hidden)
        remedy = ' '.join(_REMEDIES[kind] for kind in hidden)
        return Check(SECTION, 'Intel GPU, NPU', Status.WARNING, text, remedy, facts)
    if used:
        text = ', '.join(f'{name}: {description}' for name, description in used.items())
        return Check(SECTION, 'Intel GPU, NPU', Status.OK, text, facts=facts)
    if any(present.values()):
        text = ', '.join(f'{count} {kind}' for kind, count in present.items() if count)
        remedy = "To use it: pip install 'hydranet_ros[openvino]'."
        return Check(SECTION, 'Intel GPU, NPU', Status.NONE, text, remedy, facts)
    return Check(SECTION, 'Intel GPU, NPU', Status.NONE, 'none', facts=facts)


def _count(system: Path, pattern: str) -> int:
    """Return the number of Intel's devices of a class."""
    found = 0
    for device in system.glob(pattern):
        with suppress(OSError):
            found += (device / 'device/vendor').read_text(encoding='ascii').strip() == _INTEL
    return found
