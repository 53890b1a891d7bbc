# keraser, the command line. It sees include/keraser.h and its own headers.
add_executable(keraser cli/json.c cli/main.c cli/outside_report.c cli/run.c
    cli/run_environment.c cli/run_options.c cli/say.c cli/why.c)
target_include_directories(keraser PRIVATE include)
target_link_libraries(keraser PRIVATE keraser_core keraser_warnings)
target_compile_definitions(keraser PRIVATE _GNU_SOURCE)
if(SKBUILD)
    install(TARGETS keraser DESTINATION ${SKBUILD_SCRIPTS_DIR})
    install(FILES cli/startup/sitecustomize.py
        DESTINATION ${SKBUILD_DATA_DIR}/share/keraser/startup)
endif()
