# Installation: the library with its headers and data, the program, and a CMake package.
include(CMakePackageConfigHelpers)

# Public is every header but those of the engine's and the command line's insides. Headers keep their
# folders below include/decodesim, so that #include "sim/units.hpp" works in and out of the source tree.
file(
  GLOB_RECURSE headers CONFIGURE_DEPENDS
  ${PROJECT_SOURCE_DIR}/sim/*.hpp ${PROJECT_SOURCE_DIR}/strategies/*.hpp
  ${PROJECT_SOURCE_DIR}/topologies/*.hpp ${PROJECT_SOURCE_DIR}/traces/*.hpp)
list(FILTER headers EXCLUDE REGEX "/sim/(cli|engine)/")
foreach(header sim/cli/command_line.hpp sim/engine/communication.hpp sim/engine/simulate.hpp
               sim/engine/timeline.hpp)
  if(EXISTS ${PROJECT_SOURCE_DIR}/${header})
    list(APPEND headers ${PROJECT_SOURCE_DIR}/${header})
  endif()
endforeach()
target_sources(decodesim PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${headers})
# Target all_verify_interface_header_sets compiles each of them alone.
set_target_properties(decodesim PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)

install(
  TARGETS decodesim
  EXPORT decodesim-targets
  FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/decodesim)

if(TARGET decodesim_program)
  # The program finds its library wherever the prefix is moved to.
  file(RELATIVE_PATH to_library /${CMAKE_INSTALL_BINDIR} /${CMAKE_INSTALL_LIBDIR})
  set_target_properties(decodesim_program PROPERTIES INSTALL_RPATH "\$ORIGIN/${to_library}")
  install(TARGETS decodesim_program)
endif()

# As in the source tree: see sim/data_files.cpp.
foreach(folder topologies/machines topologies/networks topologies/imports sim/device/gpus
               sim/device/kernels sim/host/frameworks sim/model/presets sim/network/custom/fits
               sim/network/nccl/fits)
  install(
    DIRECTORY ${PROJECT_SOURCE_DIR}/${folder}/
    DESTINATION ${CMAKE_INSTALL_DATADIR}/decodesim/${folder}
    FILES_MATCHING
    PATTERN "*.json")
endforeach()

install(
  DIRECTORY ${PROJECT_SOURCE_DIR}/validation/data
  DESTINATION ${CMAKE_INSTALL_DATADIR}/decodesim/validation)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/decodesim)
install(
  EXPORT decodesim-targets
  NAMESPACE decodesim::
  DESTINATION ${package_folder})
configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/cmake/decodesim-config.cmake.in
  ${PROJECT_BINARY_DIR}/decodesim-config.cmake INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/decodesim-config-version.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/decodesim-config.cmake
              ${PROJECT_BINARY_DIR}/decodesim-config-version.cmake DESTINATION ${package_folder})
