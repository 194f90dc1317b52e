# cmake -DSOURCE=... -DHEADER=... -P WriteRevision.cmake: git revision as a macro. The header keeps its
# time when nothing changed, so that nothing is compiled again.
cmake_minimum_required(VERSION 3.25)
find_package(Git QUIET)
set(revision unknown)
if(GIT_FOUND)
  execute_process(
    COMMAND ${GIT_EXECUTABLE} -C ${SOURCE} describe --always --abbrev=12 --exclude=* --dirty
    OUTPUT_VARIABLE found
    OUTPUT_STRIP_TRAILING_WHITESPACE
    ERROR_QUIET)
  if(found)
    set(revision ${found})
  endif()
endif()
file(CONFIGURE OUTPUT ${HEADER} CONTENT "#define DECODESIM_REVISION \"@revision@\"\n" @ONLY)
