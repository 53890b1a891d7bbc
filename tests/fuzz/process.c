/* Any text is refused or understood; what is understood came from the text. */
#include <stdlib.h>
#include <string.h>

#include "keraser.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    /* A block of its own size, so that a read past the end is one past the block. */
    char *text = malloc(length == 0 ? 1 : length);
    if (text == NULL)
        return 0;
    memcpy(text, bytes, length);
    const krs_process untouched = {1, 2, 3, 4, 5, 6};
    krs_process process = untouched;
    const krs_status status = krs_process_parse(text, length, &process);
    if (status == KRS_OK) {
        if (process.rss % 1024 != 0 || process.peak % 1024 != 0 ||
            process.file % 1024 != 0 || process.shared % 1024 != 0 ||
            process.swap % 1024 != 0)
            abort();
    } else if (status != KRS_FORMAT || process.rss != untouched.rss ||
               process.peak != untouched.peak || process.file != untouched.file ||
               process.shared != untouched.shared || process.swap != untouched.swap ||
               process.threads != untouched.threads) {
        abort();
    }
    free(text);
    return 0;
}
