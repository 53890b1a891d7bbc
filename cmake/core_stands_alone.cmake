# Fails if a source of the core reads a header of Python or TensorFlow, by whatever
# path it is found. Run as a test:
#   cmake -D compiler=cc -D root=<repository> -P core_stands_alone.cmake
file(GLOB_RECURSE sources ${root}/src/*.c)
if(NOT sources)
    message(FATAL_ERROR "no sources under ${root}/src")
endif()
foreach(source IN LISTS sources)
    execute_process(
        COMMAND ${compiler} -std=c11 -M -I${root}/include -I${root}/src ${source}
        OUTPUT_VARIABLE headers ERROR_VARIABLE error RESULT_VARIABLE failed)
    if(failed)
        message(FATAL_ERROR "${source} does not compile alone:\n${error}")
    endif()
    # The repository itself may lie below a folder called python.
    string(REPLACE "${root}/" "" headers "${headers}")
    string(REPLACE "src/tensorflow/" "" headers "${headers}") # a room of our own
    if(headers MATCHES "[^ ]*([Pp]ython|tensorflow)[^ ]*")
        message(FATAL_ERROR "${source} reads ${CMAKE_MATCH_0}")
    endif()
endforeach()
