/* doctor_here.h - keraser doctor without a process: what the command line needs here.
 */
#ifndef KRS_CLI_DOCTOR_HERE_H
#define KRS_CLI_DOCTOR_HERE_H

/* Prints it; what to exit with: KRS_EXIT_UNAVAILABLE where no process could listen. */
int krs_doctor_here(int json);

#endif
