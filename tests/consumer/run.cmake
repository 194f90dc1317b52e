# See CMakeLists.txt. Every path in WORK is removed first.
cmake_minimum_required(VERSION 3.25)
unset(ENV{DECODESIM_DATA})
unset(ENV{LD_LIBRARY_PATH})

function(run what)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE code OUTPUT_VARIABLE text ERROR_VARIABLE text)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "${what} ended with ${code}:\n${text}")
  endif()
  message(STATUS "${what}\n${text}")
  set(text "${text}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE ${WORK})
run("install" ${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/first --config ${CONFIG})
# Nothing may know where it was installed to.
file(RENAME ${WORK}/first ${WORK}/prefix)
set(prefix ${WORK}/prefix)

run("program: list machines" ${prefix}/bin/decodesim list machines)
if(NOT text MATCHES "dgx-a100-80g")
  message(FATAL_ERROR "the installed program does not list dgx-a100-80g:\n${text}")
endif()

run("configure" ${CMAKE_COMMAND} -S ${PROJECT} -B ${WORK}/build -G ${GENERATOR}
    -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER}
    -DCMAKE_PREFIX_PATH=${prefix} -DCMAKE_BUILD_TYPE=Debug)
run("build" ${CMAKE_COMMAND} --build ${WORK}/build)
run("consumer" ${WORK}/build/consumer ${prefix}/share/decodesim)

# A strategy of the program's own beside ours, through the whole command line.
run("consumer's command line" ${WORK}/build/consumer compare --model llama-3-8b --machine
    dgx-a100-80g --gpus 4 --osl 3 --format csv --strategies tp,parallel-block)
if(NOT text MATCHES "parallel-block4")
  message(FATAL_ERROR "no row for parallel-block4 in\n${text}")
endif()
