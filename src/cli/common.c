/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands share: errors, numbers, signals. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/status.h"
#include "cli/cli.h"

static int hint(const char *command) {
  fprintf(stderr, "Try 'mien %s%s--help'.\n", command ? command : "", command ? " " : "");
  return MIEN_ARGUMENT;
}

int cli_usage(const char *command, const char *format, ...) {
  mien_error error = {0};
  char message[2 * sizeof error.message]; /* longer, so that it is mien_fail that cuts */
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof message, format, args);
  va_end(args);
  (void)mien_fail(&error, MIEN_ARGUMENT, "%s", message);
  fprintf(stderr, "mien: %s%s%s\n", command ? command : "", command ? ": " : "", error.message);
  return hint(command);
}

int cli_report(const char *command, const mien_error *error) {
  if (error->code == MIEN_ARGUMENT) return cli_usage(command, "%s", error->message);
  fprintf(stderr, "mien: %s\n", error->message);
  return error->code;
}

int cli_bad_option(const char *command, int opt, char **argv) {
  const char *given = argv[optind - 1];
  if (opt == ':') return cli_usage(command, "option '%s' needs a value", given);
  /* getopt_long leaves 0 for a long option that it does not know. */
  if (strncmp(given, "--", 2) == 0 && optopt != 0) return cli_usage(command, "option '%s' takes no value", given);
  if (optopt != 0) return cli_usage(command, "unknown option '-%c'", optopt);
  return cli_usage(command, "unknown or ambiguous option '%s'", given);
}

int cli_flush_stdout(void) {
  if (fflush(stdout) == 0 && !ferror(stdout)) return MIEN_OK;
  fprintf(stderr, "mien: stdout: cannot be written: %s\n", strerror(errno));
  return MIEN_RESOURCE;
}

double cli_now(void) { return mien_now(); }

bool cli_exists(const char *path) {
  struct stat info;
  return stat(path, &info) == 0;
}

bool cli_parse_uint(const char *text, uint64_t least, uint64_t most, uint64_t *number) {
  if (text[0] == '\0' || strspn(text, "0123456789") != strlen(text)) return false;
  errno = 0;
  unsigned long long value = strtoull(text, NULL, 10);
  if (errno || value < least || value > most) return false;
  *number = value;
  return true;
}

bool cli_parse_probability(const char *text, double *number) {
  /* strtod takes more than decimals: hexadecimal, "nan", leading space. */
  if (text[0] == '\0' || strspn(text, "0123456789.eE+-") != strlen(text)) return false;
  char *end;
  double value = strtod(text, &end);
  if (*end || !(value >= 0 && value <= 1)) return false;
  *number = value;
  return true;
}

atomic_bool cli_cancelled;

/* The first signal asks the run to end; a later one ends it at once. timeout(1) sends its own twice in a row, to the
 * command and to its group: that is one. */
static void on_signal(int number) {
  static struct timespec first; /* two threads may set it, to about the same time */
  const double one = 0.5;       /* seconds */
  struct timespec now;
  const int error = errno;
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (!atomic_load_explicit(&cli_cancelled, memory_order_acquire)) {
    first = now;
    atomic_store_explicit(&cli_cancelled, true, memory_order_release);
  } else if ((double)(now.tv_sec - first.tv_sec) + (double)(now.tv_nsec - first.tv_nsec) * 1e-9 > one) {
    signal(number, SIG_DFL);
    raise(number); /* when this returns */
  }
  errno = error;
}

void cli_catch_signals(void) {
  static const int caught[] = {SIGINT, SIGTERM, SIGHUP};
  struct sigaction action = {.sa_handler = on_signal};
  sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < sizeof caught / sizeof *caught; i++) {
    struct sigaction before;
    /* What the caller ignores stays ignored: nohup, a shell's background jobs. */
    if (sigaction(caught[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN) sigaction(caught[i], &action, NULL);
  }
}
