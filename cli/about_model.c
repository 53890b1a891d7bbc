#include "about_model.h"

#include <string.h>

int krs_check_model(const char *model) {
    if (*model && strlen(model) <= KRS_MODEL_NAME)
        return 1;
    krs_options_refuse(*model ? "a model's name has at most 1024 bytes, not as '%s'"
                              : "a model has a name, or an id",
                       model);
    return 0;
}
