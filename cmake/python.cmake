# keraser._core, the CPython extension. It sees include/ and the
# core, and of src/ wire/protocol.h alone (tools/rooms.py).
find_package(Python COMPONENTS Interpreter Development.Module REQUIRED)
file(GLOB extension_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/python/_core/*.c)
if(NOT extension_sources)
    message(FATAL_ERROR "no sources in python/_core")
endif()
python_add_library(_core MODULE WITH_SOABI ${extension_sources})
target_include_directories(_core PRIVATE ${PROJECT_SOURCE_DIR}/src)
target_link_libraries(_core PRIVATE keraser_core keraser_warnings)
# CPython's slot tables put function pointers into void *, which ISO C does not allow
# and every platform that has CPython does.
set_source_files_properties(${extension_sources} PROPERTIES COMPILE_OPTIONS
    "-Wno-pedantic;-Werror=implicit-function-declaration")
set_target_properties(_core PROPERTIES C_VISIBILITY_PRESET hidden)
install(TARGETS _core DESTINATION keraser)
