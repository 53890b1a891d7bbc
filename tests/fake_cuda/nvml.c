/* The management library: versions alone, which TensorFlow asks for in its log. */
#include <stdio.h>

int nvmlSystemGetDriverVersion(char *text, unsigned room) {
    snprintf(text, room, "555.42.00");
    return 0;
}

int nvmlSystemGetCudaDriverVersion(int *version) {
    *version = 12050;
    return 0;
}
