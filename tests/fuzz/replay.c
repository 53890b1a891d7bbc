/* Gives each file named on the command line to a fuzz target, without libFuzzer. */
#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

enum { MOST_BYTES = 1 << 16 };

int main(int argc, char **argv) {
    static uint8_t bytes[MOST_BYTES];
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        if (file == NULL) {
            perror(argv[i]);
            return 1;
        }
        const size_t length = fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        LLVMFuzzerTestOneInput(bytes, length);
    }
    printf("%d inputs\n", argc - 1);
    return argc > 1 ? 0 : 1; /* an empty corpus tries nothing */
}
