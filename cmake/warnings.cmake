# What every target of ours is compiled with; link keraser_warnings PRIVATE.
add_library(keraser_warnings INTERFACE)
target_compile_options(keraser_warnings INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow
    $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes>
    $<$<BOOL:${KERASER_WERROR}>:-Werror>)
