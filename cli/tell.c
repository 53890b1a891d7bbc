#include "tell.h"

#include <stdio.h>

#include "printable.h"
#include "say.h"
#include "verbs.h"

static void print_whole(const char *text, size_t length) {
    krs_print_clean(stdout, text, length, 1);
    if (length > 0 && text[length - 1] != '\n')
        putchar('\n');
}

int krs_tell_verdict(const krs_verdict *verdict, int json) {
    if (json)
        print_whole(verdict->bytes + verdict->text, verdict->json);
    else
        print_whole(verdict->bytes, verdict->text);
    if (verdict->outcome != KRS_OUTCOME_OK) {
        fflush(stdout);
        krs_complain(*verdict->cause ? "%s" : "it did not say why it did not do it",
                     verdict->cause, verdict->cure);
    }
    return krs_verdict_status(verdict);
}

void krs_tell_error(krs_json *out, krs_trouble trouble, pid_t pid, const char *detail) {
    char cause[KRS_TROUBLE_TEXT], cure[KRS_TROUBLE_TEXT];
    if (trouble == KRS_TROUBLE_NONE) {
        krs_json_null(out);
        return;
    }
    krs_trouble_cause(trouble, pid, detail, cause);
    krs_trouble_cure(trouble, pid, cure);
    krs_json_object(out);
    krs_json_key(out, "kind");
    krs_json_string(out, krs_trouble_name(trouble));
    krs_json_key(out, "cause");
    krs_json_string(out, cause);
    krs_json_key(out, "cure");
    krs_json_string(out, cure);
    krs_json_end(out);
}

int krs_tell_trouble(krs_trouble trouble, pid_t pid, const char *detail,
                     const char *verb, int json) {
    char cause[KRS_TROUBLE_TEXT], cure[KRS_TROUBLE_TEXT];
    krs_trouble_cause(trouble, pid, detail, cause);
    krs_trouble_cure(trouble, pid, cure);
    if (json) {
        krs_json out = krs_json_begin(stdout);
        krs_json_object(&out);
        krs_json_key(&out, "schema_version");
        krs_json_number(&out, KRS_SCHEMA_VERSION);
        krs_json_key(&out, "pid");
        krs_json_number(&out, (uint64_t)pid);
        krs_json_key(&out, "verb");
        krs_json_string(&out, verb);
        krs_json_key(&out, "error");
        krs_tell_error(&out, trouble, pid, detail);
        krs_json_end(&out);
        fflush(stdout);
    }
    krs_complain("%s", cause, cure);
    return krs_trouble_status(trouble);
}

int krs_ask_and_tell(pid_t pid, const krs_frame *question, const char *verb,
                     uint64_t wait, int json) {
    krs_verdict verdict = {0};
    char detail[KRS_DETAIL];
    const krs_trouble trouble = krs_ask(pid, question, wait, &verdict, detail);
    if (trouble != KRS_TROUBLE_NONE)
        return krs_tell_trouble(trouble, pid, detail, verb, json);
    const int status = krs_tell_verdict(&verdict, json);
    krs_verdict_free(&verdict);
    return status;
}
