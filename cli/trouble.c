#include "trouble.h"

#include <stdio.h>
#include <string.h>

#include "verbs.h"

static const struct {
    const char *name;
    int status;
    const char *cause, *cure;
} troubles[] = {
#define X(name, word, status, cause, cure) {word, KRS_EXIT_##status, cause, cure},
    KRS_TROUBLE_MAP(X)
#undef X
};

const char *krs_trouble_name(krs_trouble trouble) {
    return troubles[trouble].name;
}

int krs_trouble_status(krs_trouble trouble) {
    return troubles[trouble].status;
}

/* `text` with the process id, at its first place; bytes. */
static size_t write_text(const char *text, pid_t pid, char *to) {
    const char *gap = strstr(text, "PID");
    int length;
    if (gap == NULL)
        length = snprintf(to, KRS_TROUBLE_TEXT, "%s", text);
    else
        length = snprintf(to, KRS_TROUBLE_TEXT, "%.*s%ld%s", (int)(gap - text), text,
                          (long)pid, gap + strlen("PID"));
    return (size_t)length;
}

void krs_trouble_cause(krs_trouble trouble, pid_t pid, const char *detail,
                       char cause[KRS_TROUBLE_TEXT]) {
    const size_t length = write_text(troubles[trouble].cause, pid, cause);
    if (*detail)
        snprintf(cause + length, KRS_TROUBLE_TEXT - length, ": %s", detail);
}

void krs_trouble_cure(krs_trouble trouble, pid_t pid, char cure[KRS_TROUBLE_TEXT]) {
    write_text(troubles[trouble].cure, pid, cure);
}
