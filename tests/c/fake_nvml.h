/* fake_nvml.h - what the GPUs of fake_nvml.c say. */
#ifndef KRS_TESTS_FAKE_NVML_H
#define KRS_TESTS_FAKE_NVML_H

#include <stdint.h>

enum { FAKE_GPUS = 2, FAKE_PIDS = 8 };

typedef struct {
    int handle_answer, list_answer;
    unsigned processes, more_each_time;
    unsigned instance;        /* of all processes; 0: the GPU is not divided */
    uint32_t pids[FAKE_PIDS]; /* of the first of them; others are 1 */
    uint64_t used[FAKE_PIDS];
} fake_gpu;

typedef struct {
    int init_answer, count_answer;
    int started, starts;
    char bus[32]; /* that was asked for last */
    fake_gpu gpus[FAKE_GPUS];
} fake_nvml_state;

#endif
