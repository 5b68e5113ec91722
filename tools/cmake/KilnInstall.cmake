# cmake --install: headers, libraries, tools (in tools/CMakeLists.txt) and find_package(kiln).
include(CMakePackageConfigHelpers)

if(TARGET kiln)
  install(TARGETS kiln EXPORT kilnTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  if(TARGET kiln-compiler)
    install(TARGETS kiln-compiler LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  endif()
  foreach(folder runtime frontend)
    install(DIRECTORY ${folder}/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} OPTIONAL
            FILES_MATCHING PATTERN "*.h")
  endforeach()

  set(packageFolder ${CMAKE_INSTALL_LIBDIR}/cmake/kiln)
  install(EXPORT kilnTargets NAMESPACE kiln:: DESTINATION ${packageFolder})
  configure_package_config_file(tools/cmake/kilnConfig.cmake.in kilnConfig.cmake
                                INSTALL_DESTINATION ${packageFolder})
  write_basic_package_version_file(kilnConfigVersion.cmake COMPATIBILITY SameMinorVersion)
  install(FILES ${PROJECT_BINARY_DIR}/kilnConfig.cmake ${PROJECT_BINARY_DIR}/kilnConfigVersion.cmake
          DESTINATION ${packageFolder})
endif()
