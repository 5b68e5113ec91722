"""lit configuration: every .mlir and .test file below test/{ir,passes,codegen,run} is a test."""

import os
import shutil

import lit.formats

config.name = "Kiln"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["unit", "package", "Inputs"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.kiln_binary_dir, "test")

# A test never reads or fills the user's cache of compiled code.
config.environment["KILN_CACHE_DIR"] = os.path.join(config.test_exec_root, "cache")

# `REQUIRES: avx512f` and the like: what this processor reports, by Linux's names.
with open("/proc/cpuinfo") as cpuinfo:
    for line in cpuinfo:
        if line.startswith("flags"):
            config.available_features.update(line.split(":")[1].split())
            break
# CUDA's assembler, where it is installed: tests that need it are reported as unsupported elsewhere.
cuda = os.environ.get("CUDA_HOME", "/usr/local/cuda")
ptxas = shutil.which("ptxas", path=os.pathsep.join([os.path.join(cuda, "bin"), os.environ["PATH"]]))
if ptxas:
    config.available_features.add("ptxas")
    config.substitutions.append((r"(?<![\w/.-])ptxas(?![\w-])", ptxas))
if os.path.isdir(config.kiln_model_dir):
    config.available_features.add("model")

config.substitutions.append(("%model", config.kiln_model_dir))
config.substitutions.append(("%source", config.kiln_source_dir))
for name in sorted(os.listdir(config.kiln_tools_dir), reverse=True):
    if name.startswith("kiln-") and not name.endswith("tests"):
        config.substitutions.append((rf"(?<![\w/.-]){name}(?![\w-])",
                                     os.path.join(config.kiln_tools_dir, name)))
for name in ["FileCheck", "not", "count", "split-file", "mlir-opt", "llc", "opt"]:
    config.substitutions.append((rf"(?<![\w/.-]){name}(?![\w-])",
                                 os.path.join(config.llvm_tools_dir, name)))
