/* Any bytes as the memory of a Python are read or refused: no decoder reads outside of
 * what it copied, runs on for ever, or says something that is not text. The first byte
 * chooses the version, the rest is the memory. */
#include <stdlib.h>
#include <string.h>

#include "fake_heap.h"
#include "keraser.h"

enum { HOLDERS = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void must(int holds) {
    if (!holds)
        abort();
}

static void must_be_text(const char *text, size_t room) {
    must(memchr(text, '\0', room) != NULL);
}

static void read_models(krs_outside *outside) {
    krs_outside_holder holders[HOLDERS];
    size_t count, held;
    const krs_outside_model *models = krs_outside_models(outside, &count);
    for (size_t i = 0; i < count; i++) {
        must_be_text(models[i].name, sizeof models[i].name);
        must_be_text(models[i].type, sizeof models[i].type);
        must(models[i].part_of == UINT32_MAX || models[i].part_of < count);
        must(krs_outside_holders(outside, i, holders, HOLDERS, &held) == KRS_OK);
        must(held <= HOLDERS);
        for (size_t k = 0; k < held; k++) {
            must_be_text(holders[k].kind, sizeof holders[k].kind);
            must_be_text(holders[k].path, sizeof holders[k].path);
            must_be_text(holders[k].fix, sizeof holders[k].fix);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    if (length == 0)
        return 0;
    fake_bytes memory = {bytes + 1, length - 1};
    const krs__made_memory made = fake_memory(&memory, 10 + bytes[0] % 4);
    krs_outside *outside = NULL;
    krs_outside_error error;
    const krs_status status = krs__outside_open_memory(&made, &outside, &error);
    must(status == KRS_OK || status == KRS_UNSUPPORTED);
    must((status == KRS_OK) == (outside != NULL));
    must_be_text(error.cause, sizeof error.cause);
    if (status == KRS_OK)
        read_models(outside);
    krs_outside_free(outside);
    return 0;
}
