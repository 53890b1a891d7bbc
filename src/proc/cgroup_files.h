/* The files that are in the folder of a group. */
#ifndef KRS_PROC_CGROUP_FILES_H
#define KRS_PROC_CGROUP_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keraser.h"

enum { KRS__CGROUP_PATH = 4352 }; /* the longest folder, and the name of a file */

/* FOLDER/NAME; false with errno ENAMETOOLONG where it does not fit. */
bool krs__cgroup_path(char path[KRS__CGROUP_PATH], const char *folder,
                      const char *name);

/* Writes `text` by one call, as the kernel wants it. */
krs_status krs__cgroup_write(const char *folder, const char *name, const char *text);

/* Reads a file of some lines; `text` ends in a NUL. */
krs_status krs__cgroup_text(const char *folder, const char *name, char *text,
                            size_t room);

#endif
