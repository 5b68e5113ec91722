# What a plain `cmake -S . -B build` means. Everything here gives way to what the user asked for.

# Clang 22 with lld, from the packages that bring MLIR: it compiles MLIR's headers faster than GCC 12.
if(NOT DEFINED CMAKE_CXX_COMPILER AND NOT DEFINED CMAKE_C_COMPILER AND NOT DEFINED ENV{CXX}
   AND NOT DEFINED ENV{CC} AND NOT DEFINED CMAKE_TOOLCHAIN_FILE)
  find_program(KILN_CLANGXX clang++-22)
  find_program(KILN_CLANG clang-22)
  mark_as_advanced(KILN_CLANGXX KILN_CLANG)
  if(KILN_CLANGXX AND KILN_CLANG)
    set(CMAKE_C_COMPILER "${KILN_CLANG}" CACHE FILEPATH "C compiler")
    set(CMAKE_CXX_COMPILER "${KILN_CLANGXX}" CACHE FILEPATH "C++ compiler")
  endif()
endif()

# ccache, if it is there. Paths are hashed relative to the source tree, so that a second checkout hits.
# Debug information, which would carry the absolute path, is left out or relocated by the presets.
if(NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER AND NOT DEFINED ENV{CMAKE_CXX_COMPILER_LAUNCHER})
  find_program(KILN_CCACHE ccache)
  mark_as_advanced(KILN_CCACHE)
  if(KILN_CCACHE)
    set(launcher "${CMAKE_COMMAND}" -E env "CCACHE_BASEDIR=${CMAKE_CURRENT_SOURCE_DIR}"
                 CCACHE_NOHASHDIR=1 CCACHE_PCH_EXTSUM=1 CCACHE_SLOPPINESS=pch_defines,time_macros "${KILN_CCACHE}")
    set(CMAKE_C_COMPILER_LAUNCHER "${launcher}" CACHE STRING "C compiler launcher")
    set(CMAKE_CXX_COMPILER_LAUNCHER "${launcher}" CACHE STRING "C++ compiler launcher")
  endif()
endif()

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()
# -O3 makes the compiler larger and no faster; line tables are what a backtrace needs.
set(CMAKE_C_FLAGS_RELEASE "-O2 -DNDEBUG" CACHE STRING "")
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG" CACHE STRING "")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g1" CACHE STRING "")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1" CACHE STRING "")
