#!/usr/bin/env python3
"""Times one row times a weight packed as Q4_K, of kiln-bench against llama-cpp-python's, in turns:

    pip install llama-cpp-python
    python3 tools/kiln-bench/llama_cpp.py build/bin/kiln-bench [IN OUT]

IN and OUT are 4096 and 14336. Calls ggml, the library inside that package, by its C functions, on
as many threads as kiln-bench ($KILN_NUM_THREADS or 2) with a pool of them that stays: its
ggml_mul_mat with the weight as a GGUF file holds it, and in the layouts that it rearranges weights
into for this processor, as the package does when it loads a model. Both sides read copies of the
weight in turns, 256 MB and more in huge pages, so that no cache holds them. ggml rounds the row to
int8; Kiln is timed with float32 activations and with int8 ones. Prints medians of rounds, the share
of memory's bandwidth, and the median of the ratios within rounds: above 1, Kiln is faster.
"""

import ctypes
import importlib.util
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import time

# A script's own folder is searched first; there, this file would be found in place of the package.
FOLDER = pathlib.Path(__file__).resolve().parent
sys.path = [path for path in sys.path if pathlib.Path(path or ".").resolve() != FOLDER]

ROUNDS, SECONDS = 15, 0.2
WEIGHT_BYTES = 256 << 20  # as kiln-bench's, beyond any cache
DISTINCT_ROWS = 64  # encoding takes its time
F32, Q4_K, BLOCK_ELEMENTS, BLOCK_BYTES = 0, 12, 256, 144  # of enum ggml_type and block_q4_K
HUGE_PAGE, MADV_HUGEPAGE = 2 << 20, 14  # bytes; of Linux


class InitParams(ctypes.Structure):  # ggml_init_params
    _fields_ = [("mem_size", ctypes.c_size_t), ("mem_buffer", ctypes.c_void_p),
                ("no_alloc", ctypes.c_bool)]


class Libraries:
    """The C functions of ggml that the installed package brought, as attributes."""

    RESULTS = {"ggml_backend_graph_compute": ctypes.c_int,  # of the others, pointers
               "ggml_backend_supports_op": ctypes.c_bool,
               "ggml_backend_buft_name": ctypes.c_char_p,
               "ggml_backend_buffer_get_size": ctypes.c_size_t}

    def __init__(self):
        package = importlib.util.find_spec("llama_cpp")
        if not package or not package.origin:
            sys.exit("llama_cpp.py: no llama-cpp-python here: pip install llama-cpp-python")
        folder = pathlib.Path(package.origin).parent / "lib"
        self.libraries = [ctypes.CDLL(str(folder / f"lib{name}.so"), mode=ctypes.RTLD_GLOBAL)
                          for name in ("ggml-base", "ggml-cpu")]
        # Silent: it logs every tensor that it rearranges.
        kind = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
        self.log = kind(lambda level, text, user: None)
        self.ggml_log_set(self.log, None)

    def __getattr__(self, name):
        library = next((each for each in self.libraries if hasattr(each, name)), None)
        if library is None:
            sys.exit(f"llama_cpp.py: this version of llama-cpp-python has no {name}")
        function = getattr(library, name)
        function.restype = self.RESULTS.get(name, ctypes.c_void_p)
        setattr(self, name, function)
        return function


def pointer(value):
    return ctypes.c_void_p(value)


class Backend:
    """ggml on the CPU with `threads` threads that wait for work between calls."""

    def __init__(self, ggml, threads):
        self.ggml = ggml
        self.handle = pointer(ggml.ggml_backend_cpu_init())
        parameters = ctypes.create_string_buffer(1 << 16)  # larger than any ggml_threadpool_params
        ggml.ggml_threadpool_params_init(parameters, threads)
        ggml.ggml_backend_cpu_set_n_threads(self.handle, threads)
        pool = pointer(ggml.ggml_threadpool_new(parameters))
        ggml.ggml_backend_cpu_set_threadpool(self.handle, pool)

    def layouts(self):
        """Kinds of buffers for weights: the plain one, then those that rearrange."""
        registry = pointer(self.ggml.ggml_backend_cpu_reg())
        device = pointer(self.ggml.ggml_backend_reg_dev_get(registry, ctypes.c_size_t(0)))
        found = [pointer(self.ggml.ggml_backend_cpu_buffer_type())]
        address = self.ggml.ggml_backend_reg_get_proc_address(
            registry, b"ggml_backend_dev_get_extra_bufts")
        if address:
            list_kinds = ctypes.CFUNCTYPE(ctypes.POINTER(ctypes.c_void_p), ctypes.c_void_p)(address)
            for kind in list_kinds(device) or ():
                if not kind:
                    break
                found.append(pointer(kind))
        return found


class Products:
    """ggml_mul_mat of one row with each of several copies of a weight [out, in] in a layout."""

    def __init__(self, backend, layout, packed, row, in_size, out_size):
        ggml = self.ggml = backend.ggml
        self.backend = backend.handle
        self.name = ggml.ggml_backend_buft_name(layout).decode()
        ours = self.context()
        weights = [pointer(ggml.ggml_new_tensor_2d(
            ours, Q4_K, ctypes.c_int64(in_size), ctypes.c_int64(out_size)))
            for _ in range(-(-WEIGHT_BYTES // len(packed)))]
        buffer = pointer(ggml.ggml_backend_alloc_ctx_tensors_from_buft(ours, layout))
        use_huge_pages(ggml.ggml_backend_buffer_get_base(buffer),
                       ggml.ggml_backend_buffer_get_size(buffer))

        others = self.context()
        x = pointer(ggml.ggml_new_tensor_1d(others, F32, ctypes.c_int64(in_size)))
        self.products = [pointer(ggml.ggml_mul_mat(others, weight, x)) for weight in weights]
        self.graphs = []
        for product in self.products:
            graph = pointer(ggml.ggml_new_graph_custom(others, ctypes.c_size_t(8), False))
            ggml.ggml_build_forward_expand(graph, product)
            self.graphs.append(graph)
        ggml.ggml_backend_alloc_ctx_tensors(others, self.backend)
        self.supported = ggml.ggml_backend_supports_op(self.backend, self.products[0])
        if not self.supported:
            return
        ggml.ggml_backend_tensor_set(x, row, ctypes.c_size_t(0), ctypes.c_size_t(len(row)))
        for weight in weights:
            ggml.ggml_backend_tensor_set(weight, packed, ctypes.c_size_t(0),
                                         ctypes.c_size_t(len(packed)))
        self.out_size, self.next = out_size, 0

    def context(self):
        return pointer(self.ggml.ggml_init(InitParams(1 << 20, None, True)))

    def run(self):
        which = self.next % len(self.graphs)
        self.next += 1
        start = time.perf_counter()
        status = self.ggml.ggml_backend_graph_compute(self.backend, self.graphs[which])
        seconds = time.perf_counter() - start
        if status != 0:
            sys.exit(f"llama_cpp.py: ggml_backend_graph_compute returned {status}")
        return seconds

    def result(self, which):
        values = (ctypes.c_float * self.out_size)()
        self.ggml.ggml_backend_tensor_get(self.products[which], values, ctypes.c_size_t(0),
                                          ctypes.c_size_t(ctypes.sizeof(values)))
        return list(values)

    def measure(self):
        """The median of calls, in microseconds."""
        self.run()
        self.run()
        times, begin = [], time.perf_counter()
        while time.perf_counter() - begin < SECONDS:
            times.append(self.run())
        return statistics.median(times) * 1e6


def use_huge_pages(base, size):
    """As Kiln's weights lie; must come before the memory is written."""
    begin = -(-base // HUGE_PAGE) * HUGE_PAGE
    size = (base + size - begin) // HUGE_PAGE * HUGE_PAGE
    ctypes.CDLL(None).madvise(pointer(begin), ctypes.c_size_t(size), MADV_HUGEPAGE)


def draw(count, scale):
    """Repeatable numbers around zero, as C floats."""
    generator = random.Random(count)
    return (ctypes.c_float * count)(*(generator.uniform(-scale, scale) for _ in range(count)))


def pack(ggml, in_size, out_size):
    """A weight as block_q4_K, and the DISTINCT_ROWS of it that repeat, decoded."""
    count = DISTINCT_ROWS * in_size
    packed = ctypes.create_string_buffer(count // BLOCK_ELEMENTS * BLOCK_BYTES)
    ggml.ggml_quantize_chunk(Q4_K, draw(count, 0.05), packed, ctypes.c_int64(0),
                             ctypes.c_int64(DISTINCT_ROWS), ctypes.c_int64(in_size), None)
    decoded = (ctypes.c_float * count)()
    ggml.dequantize_row_q4_K(packed, decoded, ctypes.c_int64(count))
    return packed.raw * (out_size // DISTINCT_ROWS), decoded


def check(products, decoded, row):
    """What is timed multiplies: every copy's result is the product in float64, but for what the
    row's rounding to int8 changes (steps of 1/127 of the largest of 256: below 1 %)."""
    expected = [sum(map(float.__mul__, decoded[i * len(row):(i + 1) * len(row)], row))
                for i in range(DISTINCT_ROWS)]
    expected *= products.out_size // DISTINCT_ROWS
    size = sum(value * value for value in expected)
    for which in range(len(products.graphs)):
        products.run()
        error = sum((a - b) ** 2 for a, b in zip(products.result(which), expected))
        if not error < 1e-4 * size:
            sys.exit(f"llama_cpp.py: {products.name}: wrong product, relative error "
                     f"{(error / size) ** 0.5:.3f}")


def main():
    if len(sys.argv) not in (2, 4):
        sys.exit(__doc__)
    in_size, out_size = map(int, sys.argv[2:] or (4096, 14336))
    if in_size % BLOCK_ELEMENTS or out_size % DISTINCT_ROWS:
        sys.exit(f"llama_cpp.py: IN must be a multiple of {BLOCK_ELEMENTS}, OUT of {DISTINCT_ROWS}")
    threads = int(os.environ.get("KILN_NUM_THREADS") or 2)
    ggml = Libraries()
    backend = Backend(ggml, threads)
    packed, decoded = pack(ggml, in_size, out_size)
    row = draw(in_size, 1)
    theirs = []
    for layout in backend.layouts():
        products = Products(backend, layout, packed, bytes(row), in_size, out_size)
        if products.supported:
            check(products, list(decoded), list(row))
            theirs.append(products)

    worker = subprocess.Popen([sys.argv[1], "--quantized-linear", "Q4_K", "--asked", "--sizes",
                               str(in_size), str(out_size)],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    worker.stdout.readline()

    def ask(**request):
        print(json.dumps(request), file=worker.stdin, flush=True)
        return json.loads(worker.stdout.readline())

    times, memory = {}, []
    for _ in range(ROUNDS):
        memory.append(ask(seconds=SECONDS)["memory_gb_s"])
        for name, int8 in (("float32", False), ("int8", True)):
            answer = ask(rows=1, int8=int8, seconds=SECONDS)
            times.setdefault(f"Kiln, {name} activations", []).append(answer["median_us"])
        for products in theirs:
            times.setdefault(f"ggml, {products.name}", []).append(products.measure())
    worker.stdin.close()
    worker.wait()

    ours = list(times)[:2]
    print(f"Q4_K {in_size}x{out_size}, one row, {threads} threads, {ROUNDS} rounds; "
          f"memory {statistics.median(memory):.1f} GB/s")
    print(f"{'':<28}{'median':>10}{'of memory':>11}   time / Kiln's with float32, int8 activations")
    for name, each in times.items():
        share = statistics.median(len(packed) / t / m / 10 for t, m in zip(each, memory))
        ratios = [statistics.median(t / o for t, o in zip(each, times[our])) for our in ours]
        print(f"{name:<28}{statistics.median(each):>7.0f} us{share:>9.0f} %   "
              f"{ratios[0]:>9.2f}{ratios[1]:>8.2f}")


if __name__ == "__main__":
    main()
