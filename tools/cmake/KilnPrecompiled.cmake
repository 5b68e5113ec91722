# Precompiles tools/cmake/Precompiled.h for everything that is compiled against MLIR. By hand and not with
# target_precompile_headers, whose command lines name the build folder, so that ccache would never find what
# another checkout has compiled.
set(kilnPrecompiledSource "${PROJECT_SOURCE_DIR}/tools/cmake/Precompiled.h")
set(kilnPrecompiled "${PROJECT_BINARY_DIR}/generated/mlir.pch")
string(TOUPPER "${CMAKE_BUILD_TYPE}" buildType)
separate_arguments(kilnPrecompiledFlags UNIX_COMMAND
                   "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${buildType}} -std=c++20 -fPIC -ffp-contract=off")
set(includes "$<TARGET_PROPERTY:kiln_mlir_headers,INTERFACE_INCLUDE_DIRECTORIES>")

add_custom_command(
  OUTPUT "${kilnPrecompiled}"
  COMMAND "${CMAKE_CXX_COMPILER}" ${kilnPrecompiledFlags} -fno-rtti -fvisibility=hidden
          ${kilnSanitizeFlags} "-isystem$<JOIN:${includes},;-isystem>" -Xclang -fno-pch-timestamp
          -fpch-instantiate-templates -MD -MF "${kilnPrecompiled}.d" -MT "${kilnPrecompiled}"
          -x c++-header "${kilnPrecompiledSource}" -o "${kilnPrecompiled}"
  DEPENDS "${kilnPrecompiledSource}"
  DEPFILE "${kilnPrecompiled}.d"
  COMMENT "Precompiling MLIR's headers"
  COMMAND_EXPAND_LISTS VERBATIM)
add_custom_target(kiln_precompiled DEPENDS "${kilnPrecompiled}")

# What ccache takes for the file's contents (CCACHE_PCH_EXTSUM): the file itself names the checkout.
file(SHA256 "${kilnPrecompiledSource}" sourceSum)
file(CONFIGURE OUTPUT "${kilnPrecompiled}.sum"
     CONTENT "${sourceSum} ${CMAKE_CXX_COMPILER_VERSION} ${LLVM_PACKAGE_VERSION}\n")

# kiln_use_precompiled(TARGET): compiles TARGET's files with it.
function(kiln_use_precompiled target)
  add_dependencies(${target} kiln_precompiled)
  get_target_property(sources ${target} SOURCES)
  set_property(SOURCE ${sources} TARGET_DIRECTORY ${target} APPEND PROPERTY OBJECT_DEPENDS "${kilnPrecompiled}")
  target_compile_options(${target} PRIVATE "SHELL:-include-pch \"${kilnPrecompiled}\""
                                           "SHELL:-Xclang -fno-pch-timestamp")
endfunction()
