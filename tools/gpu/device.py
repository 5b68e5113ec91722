"""What accelerator there is."""
from __future__ import annotations

import ctypes
import os
import shutil
import subprocess

ATTRIBUTES = {"clock_khz": 13, "multiprocessors": 16, "major": 75, "minor": 76}


def find() -> dict | str:
    """The first device by the driver, the library of which may be another one ($KILN_CUDA_DRIVER); or why there is none."""
    path = os.environ.get("KILN_CUDA_DRIVER") or "libcuda.so.1"
    if path == "off":
        return "KILN_CUDA_DRIVER is off"
    try:
        driver = ctypes.CDLL(path)
    except OSError as error:
        return str(error)
    count, device, version, name = ctypes.c_int(), ctypes.c_int(), ctypes.c_int(), ctypes.create_string_buffer(100)
    for call, arguments in (("cuInit", [0]), ("cuDeviceGetCount", [ctypes.byref(count)])):
        code = getattr(driver, call)(*arguments)
        if code:
            return f"{call} gives {code}"
    if count.value == 0:
        return "the driver has no device"
    for call, arguments in (("cuDeviceGet", [ctypes.byref(device), 0]), ("cuDriverGetVersion", [ctypes.byref(version)]),
                            ("cuDeviceGetName", [name, 99, device])):
        code = getattr(driver, call)(*arguments)
        if code:
            return f"{call} gives {code}"
    found = {"name": name.value.decode(errors="replace"), "devices": count.value,
             "cuda": f"{version.value // 1000}.{version.value % 1000 // 10}", "library": path}
    for key, number in ATTRIBUTES.items():
        value = ctypes.c_int()
        if driver.cuDeviceGetAttribute(ctypes.byref(value), number, device) == 0:
            found[key] = value.value
    found["is_real"] = path == "libcuda.so.1" or os.path.basename(path).startswith("libcuda.so")
    return found


def clocks() -> dict:
    """What nvidia-smi says of the first device now; nothing where it is not installed."""
    fields = ["driver_version", "clocks.sm", "clocks.max.sm", "clocks.mem", "power.limit", "temperature.gpu"]
    if not shutil.which("nvidia-smi"):
        return {}
    try:
        result = subprocess.run(["nvidia-smi", "-i", "0", f"--query-gpu={','.join(fields)}", "--format=csv,noheader"],
                                capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return {}
    values = result.stdout.strip().split(", ")
    return dict(zip(fields, values)) if result.returncode == 0 and len(values) == len(fields) else {}
