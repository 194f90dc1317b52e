# decodesim_options: warnings and sanitizers of our own targets; never exported.
add_library(decodesim_options INTERFACE)
target_compile_options(
  decodesim_options
  INTERFACE -Wall
            -Wextra
            -Wpedantic
            -Wconversion
            -Wshadow
            -Wnon-virtual-dtor
            -Wold-style-cast
            # designated initialisers name what differs from the defaults
            -Wno-missing-field-initializers
            # GCC 12 sees an uninitialised edge in every copy of a Boost graph
            $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
            $<$<BOOL:${DECODESIM_WERROR}>:-Werror>)
if(DECODESIM_SANITIZE)
  target_compile_options(decodesim_options INTERFACE -fsanitize=${DECODESIM_SANITIZE}
                                                     -fno-omit-frame-pointer)
  target_link_options(decodesim_options INTERFACE -fsanitize=${DECODESIM_SANITIZE})
endif()
