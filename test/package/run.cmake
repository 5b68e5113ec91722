# Installs the build, builds the outside project against it, and runs what came out.
function(step)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE ${WORK})
step(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix)
# Elsewhere than where it was installed: nothing may depend on the place.
file(RENAME ${WORK}/prefix ${WORK}/moved)
# The README's program is its first C++ block: it has to build and run as it stands there.
file(READ ${SOURCE}/../../README.md readme)
string(FIND "${readme}" "```cpp\n" begin)
math(EXPR begin "${begin} + 7")
string(SUBSTRING "${readme}" ${begin} -1 readme)
string(FIND "${readme}" "```" end)
string(SUBSTRING "${readme}" 0 ${end} program)
file(WRITE ${WORK}/readme.cpp "${program}")
set(ENV{KILN_CACHE_DIR} ${WORK}/cache)
# With the compiler that built the library, and with the others that a user may have.
find_program(GCC NAMES g++-12 g++)
find_program(CLANG NAMES clang++-22)
set(compilers ${CXX} ${GCC} ${CLANG})
list(TRANSFORM compilers REPLACE ".*/" "" OUTPUT_VARIABLE names)
foreach(compiler name IN ZIP_LISTS compilers names)
  if(NOT compiler OR EXISTS ${WORK}/build-${name})
    continue()
  endif()
  step(${CMAKE_COMMAND} -S ${SOURCE} -B ${WORK}/build-${name} -G Ninja -DCMAKE_BUILD_TYPE=Debug
       -DCMAKE_CXX_COMPILER=${compiler} -DCMAKE_PREFIX_PATH=${WORK}/moved -DREADME_PROGRAM=${WORK}/readme.cpp)
  step(${CMAKE_COMMAND} --build ${WORK}/build-${name})
  foreach(program outside readme api)
    step(${WORK}/build-${name}/${program})
  endforeach()
endforeach()
