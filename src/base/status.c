/* The text of a status, from the one list in keraser.h. */
#include "keraser.h"

const char *krs_status_text(krs_status status) {
    switch (status) {
#define X(name, value, text, exception, exit_status)                                   \
    case KRS_##name:                                                                   \
        return text;
        KRS_STATUS_MAP(X)
#undef X
    }
    return "unknown status"; /* a number from a newer library, or no status at all */
}
