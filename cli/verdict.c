#include "verdict.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "verbs.h"

void krs_verdict_free(krs_verdict *verdict) {
    free(verdict->bytes);
    *verdict = (krs_verdict){0};
}

/* 0 where the file ends before: it can be cut by who sent it, so it is not mapped. */
static int read_whole(int file, char *bytes, size_t size) {
    size_t got = 0;
    while (got < size) {
        const ssize_t more = pread(file, bytes + got, size - got, (off_t)got);
        if (more < 0 && errno == EINTR)
            continue;
        if (more <= 0)
            return 0;
        got += (size_t)more;
    }
    return 1;
}

/* Only a file in memory has seals. */
static int is_memfd_of(int file, uint64_t size) {
    struct stat status;
    return fcntl(file, F_GET_SEALS) >= 0 && fstat(file, &status) == 0 &&
           S_ISREG(status.st_mode) && (uint64_t)status.st_size == size;
}

/* For an answer that has only a cause. */
static const char *usual_cure(krs_outcome outcome) {
    switch (outcome) {
    case KRS_OUTCOME_OK:
        return "";
    case KRS_OUTCOME_REFUSED:
        return "nothing was changed";
    case KRS_OUTCOME_ABSENT:
        return "keraser top lists models by name; an id, as of --json, is never "
               "twofold";
    case KRS_OUTCOME_FAILED:
        break;
    }
    return "keraser doctor says, for that process, what works there";
}

/* Its first line is the cause, the rest what to do. */
static void take_lines(krs_verdict *verdict, const krs_frame *frame) {
    const char *gap =
        frame->length > 0 ? memchr(frame->text, '\n', frame->length) : NULL;
    const size_t cause = gap != NULL ? (size_t)(gap - frame->text) : frame->length;
    if (cause > 0)
        memcpy(verdict->cause, frame->text, cause);
    verdict->cause[cause] = '\0';
    size_t cure = gap != NULL ? frame->length - cause - 1 : 0;
    if (cure > 0)
        memcpy(verdict->cure, gap + 1, cure);
    while (cure > 0 && verdict->cure[cure - 1] == '\n')
        cure--;
    verdict->cure[cure] = '\0';
    for (size_t i = 0; i < cure; i++)
        if (verdict->cure[i] == '\n')
            verdict->cure[i] = ' ';
    if (cure == 0)
        strcpy(verdict->cure, usual_cure(verdict->outcome));
}

krs_trouble krs_verdict_take(krs_verdict *verdict, const krs_frame *frame, int memfd) {
    const uint64_t text = frame->values[KRS_ANSWER_TEXT];
    const uint64_t json = frame->values[KRS_ANSWER_JSON];
    if (frame->kind != KRS_FRAME_ANSWER || frame->length > KRS_VERDICT_LINE ||
        frame->values[KRS_ANSWER_OUTCOME] > KRS_OUTCOME_FAILED ||
        text > KRS_VERDICT_MOST || json > KRS_VERDICT_MOST ||
        !is_memfd_of(memfd, text + json))
        return KRS_TROUBLE_VERSION;
    const size_t size = (size_t)(text + json);
    char *bytes = malloc(size > 0 ? size : 1);
    if (bytes == NULL)
        return KRS_TROUBLE_NOMEM;
    if (!read_whole(memfd, bytes, size)) {
        free(bytes);
        return KRS_TROUBLE_VERSION;
    }
    *verdict = (krs_verdict){
        .outcome = (krs_outcome)frame->values[KRS_ANSWER_OUTCOME],
        .bytes = bytes,
        .text = (size_t)text,
        .json = (size_t)json,
    };
    take_lines(verdict, frame);
    return KRS_TROUBLE_NONE;
}

int krs_verdict_status(const krs_verdict *verdict) {
    switch (verdict->outcome) {
    case KRS_OUTCOME_OK:
        return KRS_EXIT_OK;
    case KRS_OUTCOME_REFUSED:
        return KRS_EXIT_UNAVAILABLE;
    case KRS_OUTCOME_ABSENT:
        return KRS_EXIT_ABSENT;
    case KRS_OUTCOME_FAILED:
        break;
    }
    return KRS_EXIT_FAILED;
}
