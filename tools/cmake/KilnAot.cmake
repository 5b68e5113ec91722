# The runtime of exported models (runtime/aot/Runtime.c), as assembly text within libkiln.
#   cmake -DINPUT=Runtime.s -DOUTPUT=RuntimeText.cpp -P KilnAot.cmake
# writes the text as a C++ array; included by a build file it says how to make it.

if(CMAKE_SCRIPT_MODE_FILE)
  file(READ "${INPUT}" hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  file(WRITE "${OUTPUT}" "namespace kiln::runtime {\nstatic const unsigned char text[] = {${bytes}0x00};\n"
       "extern const char *const aotRuntimeText;\n"
       "const char *const aotRuntimeText = reinterpret_cast<const char *>(text);\n} // namespace kiln::runtime\n")
  return()
endif()

# kiln_aot_runtime(VAR): a C++ file with the text. For any x86-64 CPU, and without what sanitizers,
# profilers or the distribution's defaults would add: it is linked into other people's programs.
function(kiln_aot_runtime variable)
  set(folder ${PROJECT_BINARY_DIR}/generated/runtime/aot)
  file(MAKE_DIRECTORY ${folder})
  set(source ${PROJECT_SOURCE_DIR}/runtime/aot/Runtime.c)
  add_custom_command(
    OUTPUT ${folder}/Runtime.s
    COMMAND ${CMAKE_C_COMPILER} -std=gnu11 -Wall -Wextra -O2 -fPIC -fvisibility=hidden
            -fno-asynchronous-unwind-tables -fcf-protection=none -fno-stack-protector
            -I${PROJECT_SOURCE_DIR} -S ${source} -o ${folder}/Runtime.s
    DEPENDS ${source} ${PROJECT_SOURCE_DIR}/runtime/Abi.h
    VERBATIM)
  add_custom_command(
    OUTPUT ${folder}/RuntimeText.cpp
    COMMAND ${CMAKE_COMMAND} -DINPUT=${folder}/Runtime.s -DOUTPUT=${folder}/RuntimeText.cpp
            -P ${PROJECT_SOURCE_DIR}/tools/cmake/KilnAot.cmake
    DEPENDS ${folder}/Runtime.s ${PROJECT_SOURCE_DIR}/tools/cmake/KilnAot.cmake
    VERBATIM)
  set(${variable} ${folder}/RuntimeText.cpp PARENT_SCOPE)
endfunction()
