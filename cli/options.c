#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verbs.h"

static const char cure[] = "--help after the verb lists what it takes";

static size_t option_count(const krs_syntax *syntax) {
    size_t count = 0;
    while (count < KRS_OPTIONS && syntax->options[count].name != NULL)
        count++;
    return count;
}

/* The option that `argument` is, up to a '='; NULL for none. */
static const krs_option *find(const krs_syntax *syntax, const char *argument) {
    const size_t length = strcspn(argument, "=");
    for (size_t i = 0; i < option_count(syntax); i++) {
        const char *name = syntax->options[i].name;
        if (strlen(name) == length && strncmp(name, argument, length) == 0)
            return &syntax->options[i];
    }
    return NULL;
}

static krs_mistake read_option(const krs_syntax *syntax, char **arguments, int *at,
                               krs_given *given) {
    const char *argument = arguments[*at];
    if (!strcmp(argument, "--help") || !strcmp(argument, "-h")) {
        given->help = 1;
        return (krs_mistake){0};
    }
    const krs_option *option = find(syntax, argument);
    if (option == NULL)
        return (krs_mistake){"there is no option '%s'", argument, cure};
    const char *value = strchr(argument, '=');
    if (value != NULL)
        value++;
    if (option->value == NULL && value != NULL)
        return (krs_mistake){"%s takes no value", option->name, cure};
    if (option->value != NULL && value == NULL && arguments[*at + 1] != NULL)
        value = arguments[++*at];
    if (option->value != NULL && (value == NULL || !*value))
        return (krs_mistake){"%s needs a value", option->name, cure};
    given->values[option - syntax->options] = value != NULL ? value : "";
    return (krs_mistake){0};
}

krs_mistake krs_options_read(const krs_syntax *syntax, int count, char **arguments,
                             krs_given *given) {
    *given = (krs_given){.operands = arguments + 1};
    int ended = 0;
    for (int at = 1; at < count; at++) {
        if (ended || arguments[at][0] != '-' || arguments[at][1] == '\0') {
            given->operands[given->count++] = arguments[at];
            continue;
        }
        ended = !strcmp(arguments[at], "--");
        if (ended)
            continue;
        const krs_mistake mistake = read_option(syntax, arguments, &at, given);
        if (mistake.cause != NULL || given->help)
            return mistake;
    }
    if (given->count > syntax->most)
        return (krs_mistake){"'%s' is one too many", given->operands[syntax->most],
                             cure};
    if (given->count < syntax->least)
        return (krs_mistake){given->count == 0 ? "of which process?" : "which model?",
                             "", cure};
    return (krs_mistake){0};
}

static void print_help(const krs_syntax *syntax) {
    printf("usage: keraser %s\n\n%s\n\n", syntax->usage, syntax->about);
    for (size_t i = 0; i < option_count(syntax); i++) {
        const krs_option *option = &syntax->options[i];
        char name[64];
        snprintf(name, sizeof name, "%s%s%s", option->name, option->value ? " " : "",
                 option->value ? option->value : "");
        printf("  %-18s %s\n", name, option->about);
    }
}

int krs_options_begin(const krs_syntax *syntax, int count, char **arguments,
                      krs_given *given, int *status) {
    const krs_mistake mistake = krs_options_read(syntax, count, arguments, given);
    *status = KRS_EXIT_OK;
    if (mistake.cause != NULL) {
        krs_complain(mistake.cause, mistake.detail, mistake.cure);
        *status = KRS_EXIT_USAGE;
        return 0;
    }
    if (given->help)
        print_help(syntax);
    return !given->help;
}

int krs_options_refuse(const char *cause, const char *detail) {
    krs_complain(cause, detail, cure);
    return KRS_EXIT_USAGE;
}

int krs_read_pid(const char *text, pid_t *pid) {
    char *end = NULL;
    errno = 0;
    const long number = isdigit((unsigned char)*text) ? strtol(text, &end, 10) : 0;
    if (number <= 0 || number > INT_MAX || errno != 0 || *end != '\0') {
        krs_options_refuse("'%s' is no process id", text);
        return 0;
    }
    *pid = (pid_t)number;
    return 1;
}

int krs_read_seconds(const char *text, double least, double usual, uint64_t *ns) {
    enum { DAY = 86400 };
    char *end = NULL;
    double seconds = usual;
    if (text != NULL) {
        /* strtod() takes more than numbers, such as "nan" and "0x1p3". */
        const int plain = strspn(text, "0123456789.") == strlen(text);
        seconds = plain ? strtod(text, &end) : -1;
        if (!plain || end == text || *end != '\0' || !(seconds >= least) ||
            seconds > DAY) {
            char cause[96];
            snprintf(cause, sizeof cause, "'%%s' is no number of seconds from %g to %d",
                     least, DAY);
            krs_options_refuse(cause, text);
            return 0;
        }
    }
    *ns = (uint64_t)(seconds * 1e9);
    return 1;
}
