# Functions that the folders' build files share. Sources are found by name, so that a new file, op,
# pass or tool touches no build file.

# kiln_sources(VAR FOLDER...): all C++ sources below the folders, which may be empty.
function(kiln_sources variable)
  set(patterns)
  foreach(folder IN LISTS ARGN)
    list(APPEND patterns "${folder}/*.cpp")
  endforeach()
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${patterns})
  set(${variable} "${sources}" PARENT_SCOPE)
endfunction()

# How all of our own code is compiled.
add_library(kiln_options INTERFACE)
# No contraction to FMA behind our back, whatever -march says: results are promised bit for bit.
target_compile_options(kiln_options INTERFACE -Wall -Wextra $<$<BOOL:${KILN_WERROR}>:-Werror>
                                              -ffp-contract=off)
# KILN_SANITIZE=address,undefined; all libraries and programs alike.
set(KILN_SANITIZE "" CACHE STRING "Sanitizers to build with, as -fsanitize names them")
if(KILN_SANITIZE)
  # vptr and function need the type information that -fno-rtti code does not have.
  set(kilnSanitizeFlags -fsanitize=${KILN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all
      -fno-sanitize=vptr,function)
  target_compile_options(kiln_options INTERFACE ${kilnSanitizeFlags})
  target_link_options(kiln_options INTERFACE ${kilnSanitizeFlags})
  # Clang leaves the sanitizers' runtime to the program, so that a library has undefined symbols.
  set(KILN_NO_UNDEFINED "")
else()
  set(KILN_NO_UNDEFINED -Wl,--no-undefined)
endif()

if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  find_program(KILN_LLD NAMES ld.lld-22 ld.lld)
  if(KILN_LLD)
    target_link_options(kiln_options INTERFACE "--ld-path=${KILN_LLD}")
  endif()
elseif(EXISTS "${LLVM_TOOLS_BINARY_DIR}/ld.lld")
  # GCC 12 looks for ld.lld by that very name; -B says where. GNU ld works too, only slower.
  target_link_options(kiln_options INTERFACE -fuse-ld=lld "-B${LLVM_TOOLS_BINARY_DIR}")
endif()
mark_as_advanced(KILN_LLD)

# All files that TableGen writes; whatever includes one of them waits for all of them.
add_custom_target(kiln_tablegen)

# kiln_tablegen_file(OUTPUT SOURCE ARGUMENTS...): writes OUTPUT, a path below build/generated, from SOURCE,
# a path in the source tree. Included as written: "ir/KilnOps.h.inc".
function(kiln_tablegen_file output source)
  set(outputPath "${PROJECT_BINARY_DIR}/generated/${output}")
  get_filename_component(outputFolder "${outputPath}" DIRECTORY)
  file(MAKE_DIRECTORY "${outputFolder}")
  set(includes ${MLIR_INCLUDE_DIRS})
  list(REMOVE_DUPLICATES includes)
  list(TRANSFORM includes PREPEND -I)
  add_custom_command(
    OUTPUT "${outputPath}"
    COMMAND "${KILN_MLIR_TBLGEN}" ${ARGN} ${includes} "-I${PROJECT_SOURCE_DIR}"
            "${PROJECT_SOURCE_DIR}/${source}" --write-if-changed -o "${outputPath}" -d
            "${outputPath}.d"
    DEPENDS "${PROJECT_SOURCE_DIR}/${source}" "${KILN_MLIR_TBLGEN}"
    DEPFILE "${outputPath}.d"
    COMMENT "TableGen ${output}"
    VERBATIM)
  string(MAKE_C_IDENTIFIER "kiln_tablegen_${output}" target)
  add_custom_target(${target} DEPENDS "${outputPath}")
  add_dependencies(kiln_tablegen ${target})
endfunction()
find_program(KILN_MLIR_TBLGEN mlir-tblgen HINTS "${LLVM_TOOLS_BINARY_DIR}" NO_DEFAULT_PATH REQUIRED)
mark_as_advanced(KILN_MLIR_TBLGEN)

# What compiles against MLIR: without RTTI, hidden but for the one entry point, sections collected.
add_library(kiln_mlir_options INTERFACE)
target_compile_options(kiln_mlir_options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-fno-rtti> -fvisibility=hidden -fvisibility-inlines-hidden
  -ffunction-sections -fdata-sections)
target_include_directories(kiln_mlir_options INTERFACE "${PROJECT_SOURCE_DIR}")
# Generated code is not ours to warn about: unused parameters throughout.
target_include_directories(kiln_mlir_options SYSTEM INTERFACE "${PROJECT_BINARY_DIR}/generated")
target_link_libraries(kiln_mlir_options INTERFACE kiln_options kiln_mlir_headers)

# MLIR's headers, precompiled once: a file that includes them compiles in 2 s instead of 9 s. Clang only;
# GCC's precompiled headers do not pay.
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  set(KILN_PCH_DEFAULT ON)
endif()
option(KILN_PCH "Precompile MLIR's headers" ${KILN_PCH_DEFAULT})
if(KILN_PCH)
  include(KilnPrecompiled)
endif()

# kiln_compiler_library(NAME SOURCES...): a part of the compiler, as objects that libkiln-compiler, kiln-opt
# and the compiler's unit tests are linked of.
function(kiln_compiler_library name)
  if(NOT ARGN)
    return()
  endif()
  add_library(${name} OBJECT ${ARGN})
  add_dependencies(${name} kiln_tablegen)
  target_link_libraries(${name} PUBLIC kiln_mlir_options)
  if(TARGET kiln)
    target_link_libraries(${name} PUBLIC kiln)
  endif()
  if(KILN_PCH)
    kiln_use_precompiled(${name})
  endif()
  set_property(GLOBAL APPEND PROPERTY KILN_COMPILER_PARTS ${name})
endfunction()

# kiln_link_compiler(TARGET): links all parts of the compiler, MLIR and LLVM into TARGET.
function(kiln_link_compiler target)
  get_property(parts GLOBAL PROPERTY KILN_COMPILER_PARTS)
  target_link_libraries(${target} PRIVATE ${parts} kiln_mlir_options kiln_mlir_archives)
  add_dependencies(${target} kiln_tablegen)
  get_target_property(type ${target} TYPE)
  if(KILN_PCH AND type STREQUAL EXECUTABLE)
    # Programs are compiled with -fPIC as well: Clang refuses a precompiled header made otherwise.
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${target} PRIVATE -fPIC)
    kiln_use_precompiled(${target})
  endif()
endfunction()
