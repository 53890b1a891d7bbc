# keraser, the command line. It sees include/keraser.h, src/wire/protocol.h and its own
# headers. All but main() is a library, which the tests link too.
file(GLOB cli_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cli/*.c)
list(REMOVE_ITEM cli_sources ${PROJECT_SOURCE_DIR}/cli/main.c)
add_library(keraser_cli STATIC EXCLUDE_FROM_ALL ${cli_sources})
target_include_directories(keraser_cli PUBLIC cli src)
target_compile_definitions(keraser_cli PUBLIC _GNU_SOURCE)
target_link_libraries(keraser_cli PUBLIC keraser_core PRIVATE keraser_warnings)

add_executable(keraser cli/main.c)
target_link_libraries(keraser PRIVATE keraser_cli keraser_warnings)
if(SKBUILD)
    install(TARGETS keraser DESTINATION ${SKBUILD_SCRIPTS_DIR})
    set(share ${SKBUILD_DATA_DIR}/share)
    install(FILES cli/startup/sitecustomize.py DESTINATION ${share}/keraser/startup)
    install(FILES completions/keraser.bash RENAME keraser
        DESTINATION ${share}/bash-completion/completions)
    install(FILES completions/_keraser DESTINATION ${share}/zsh/site-functions)
    file(GLOB pages CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/man/*.1)
    install(FILES ${pages} DESTINATION ${share}/man/man1)
endif()
