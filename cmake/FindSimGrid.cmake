# SimGrid::SimGrid from simgrid.pc (Debian ships no CMake package).
find_package(PkgConfig REQUIRED)
pkg_check_modules(PC_SimGrid QUIET IMPORTED_TARGET simgrid>=3.32)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  SimGrid
  REQUIRED_VARS PC_SimGrid_LIBRARIES
  VERSION_VAR PC_SimGrid_VERSION
  REASON_FAILURE_MESSAGE "install libsimgrid-dev (3.32 or newer)")
if(SimGrid_FOUND AND NOT TARGET SimGrid::SimGrid)
  add_library(SimGrid::SimGrid INTERFACE IMPORTED)
  target_link_libraries(SimGrid::SimGrid INTERFACE PkgConfig::PC_SimGrid)
endif()
