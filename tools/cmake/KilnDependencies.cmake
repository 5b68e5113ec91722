# Every library that Kiln builds on; tools/setup-packages installs them on Debian 12.

find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(TBB REQUIRED)
find_package(nlohmann_json REQUIRED)

find_path(KILN_XXHASH_INCLUDE xxhash.h REQUIRED)
find_library(KILN_XXHASH_LIBRARY xxhash REQUIRED)
add_library(kiln_xxhash INTERFACE)
target_include_directories(kiln_xxhash SYSTEM INTERFACE "${KILN_XXHASH_INCLUDE}")
target_link_libraries(kiln_xxhash INTERFACE "${KILN_XXHASH_LIBRARY}")

# The structs that tensors are exchanged in; a header alone.
find_path(KILN_DLPACK_INCLUDE dlpack/dlpack.h REQUIRED)
add_library(kiln_dlpack INTERFACE)
target_include_directories(kiln_dlpack SYSTEM INTERFACE "${KILN_DLPACK_INCLUDE}")

# For the tools only.
find_package(CLI11 REQUIRED)
find_path(KILN_UTF8PROC_INCLUDE utf8proc.h REQUIRED)
find_library(KILN_UTF8PROC_LIBRARY utf8proc REQUIRED)
add_library(kiln_utf8proc INTERFACE)
target_include_directories(kiln_utf8proc SYSTEM INTERFACE "${KILN_UTF8PROC_INCLUDE}")
target_link_libraries(kiln_utf8proc INTERFACE "${KILN_UTF8PROC_LIBRARY}")

# MLIR's package configuration refuses a version request, so the version is checked afterwards.
find_package(MLIR REQUIRED CONFIG HINTS /usr/lib/llvm-22)
if(NOT LLVM_VERSION_MAJOR EQUAL 22)
  message(FATAL_ERROR "Kiln needs MLIR 22, found ${LLVM_VERSION} in ${MLIR_DIR}; set MLIR_DIR")
endif()

# Headers of MLIR and LLVM, as system headers: their warnings are not ours.
add_library(kiln_mlir_headers INTERFACE)
target_include_directories(kiln_mlir_headers SYSTEM INTERFACE ${MLIR_INCLUDE_DIRS}
                                                              ${LLVM_INCLUDE_DIRS})

# The archives themselves, in one group. MLIR's imported targets would bring the shared libLLVM as
# well, and two copies of LLVM in one process abort at start ("option registered more than once").
# The linker takes from an archive only what is used, so the list need not be minimal.
file(GLOB kilnMlirArchives "${LLVM_LIBRARY_DIR}/libMLIR*.a" "${LLVM_LIBRARY_DIR}/libLLVM*.a")
list(FILTER kilnMlirArchives EXCLUDE REGEX
     "/libMLIR(CAPI|.*Test|Lsp|Reduce|Query|.*TableGen)|/libLLVM(BOLT|Exegesis|Fuzz|.*TableGen)")
list(FILTER kilnMlirArchives EXCLUDE REGEX
     "/libLLVM(AArch64|AMDGPU|ARM|AVR|BPF|Hexagon|Lanai|LoongArch|M68k|MSP430|Mips|PowerPC|RISCV|SPIRV|Sparc|SystemZ|VE|WebAssembly|XCore|Xtensa)[A-Z]")
list(LENGTH kilnMlirArchives kilnMlirArchiveCount)
if(kilnMlirArchiveCount LESS 100)
  message(FATAL_ERROR "MLIR's and LLVM's static archives are not in ${LLVM_LIBRARY_DIR}")
endif()
add_library(kiln_mlir_archives INTERFACE)
target_link_libraries(kiln_mlir_archives INTERFACE
  -Wl,--start-group ${kilnMlirArchives} -Wl,--end-group
  -Wl,--push-state,--as-needed z zstd xml2 rt m ${CMAKE_DL_LIBS} Threads::Threads -Wl,--pop-state)
target_link_options(kiln_mlir_archives INTERFACE -Wl,--gc-sections)
