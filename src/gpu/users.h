/* users.h - the management library elsewhere, for tests. */
#ifndef KRS_GPU_USERS_H
#define KRS_GPU_USERS_H

/* `path` NULL: the one under its own name. Closes the one that is open. */
void krs__gpu_users_use(const char *path);

#endif
