/* say.h - what goes wrong, in one line of cause and one of cure. */
#ifndef KRS_CLI_SAY_H
#define KRS_CLI_SAY_H

/* Prints "keraser: CAUSE" and, unless `cure` is empty, "  CURE" to stderr. `cause` is a
 * printf format for `detail`, a str that it names at most once. Both may come from
 * elsewhere: what could move a terminal's cursor is left out (printable.h). */
void krs_complain(const char *cause, const char *detail, const char *cure);

/* What is wrong, for krs_complain(). `cause` is NULL when nothing is. */
typedef struct {
    const char *cause, *detail, *cure;
} krs_mistake;

#endif
