/* SPDX-License-Identifier: Apache-2.0 */
/* The command `mien`: finds the command that is asked for and runs it. */
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

#ifdef __EMSCRIPTEN__
static int left_out(int argc, char **argv) {
  (void)argc;
  return cli_usage(NULL, "'%s' is not in mien-wasm: the native mien has it", argv[0]);
}
#endif

static const struct command {
  const char *name;
  int (*run)(int argc, char **argv);
  const char *summary; /* NULL: not for --help */
} commands[] = {
    {"label", cli_label, "label texts, or embeddings"},
    {"embed", cli_embed, "make embeddings of texts"},
    {"tokenize", cli_tokenize, "make token ids of texts"},
#ifdef __EMSCRIPTEN__ /* it starts no processes, and measures no machine */
    {"merge", left_out, NULL},
    {"report", left_out, NULL},
    {"pull", left_out, NULL},
    {"train", left_out, NULL},
    {"evaluate", left_out, NULL},
    {"thresholds", left_out, NULL},
    {"calibrate", left_out, NULL},
    {"clean", left_out, NULL},
    {"bench", left_out, NULL},
#else
    {"merge", cli_merge, "make one file of an output in parts"},
    {"report", cli_report_results, "make a page on what was labelled: counts, corrected, and examples"},
    {"pull", cli_pull, "fetch an encoder into the user's cache"},
#endif
    {"pack", cli_pack, "write a whole model into one file"},
    {"inspect", cli_inspect, "show what a model is, or this CPU's instruction sets"},
#ifndef __EMSCRIPTEN__
    {"train", cli_train, "fit a head to labelled texts, with thresholds and a card"},
    {"evaluate", cli_evaluate, "measure a model, or any scores, on labelled data"},
    {"thresholds", cli_thresholds, "tune a threshold for each label on labelled data"},
    {"calibrate", cli_calibrate, "make a head's scores say how often they are right"},
    {"clean", cli_clean, "find duplicates and likely errors in labelled data"},
    {"bench", cli_bench, "measure speed beside what this machine can do"},
#endif
};

enum { N_COMMANDS = sizeof commands / sizeof *commands };

static int help(void) {
  printf("Usage: mien COMMAND [OPTION]... [ARGUMENT]...\n"
         "\n"
         "Turns texts, or sentence embeddings, into labels, many a row, each with a threshold of its own.\n"
         "\n"
         "Commands:\n");
  for (size_t i = 0; i < N_COMMANDS; i++)
    if (commands[i].summary) printf("  %-10s %s\n", commands[i].name, commands[i].summary);
  printf("\n"
         "Options:\n"
         "  --help     show this; 'mien COMMAND --help' shows a command's options\n"
         "  --version  show the version\n"
         "\n"
         "Environment:\n"
         "  MIEN_ISA   the instruction set to run, of those 'mien inspect --cpu' lists; default: the best available\n"
         "  NO_COLOR   not empty: no colours on a terminal\n"
         "\n"
         "Exit codes: 0 done, 1 a bug, 2 usage, 3 bad input, 4 memory, disk or device missing, 5 interrupted.\n");
  return cli_flush_stdout();
}

static int version(void) {
  printf("mien %s\n", mien_version());
  return cli_flush_stdout();
}

/* A closed standard stream would give its number to the next file opened, and that file would be read or written
 * instead. The stand-ins fail: stdin can't be read, stdout can't be written. */
static void hold_standard_streams(void) {
  static const int modes[] = {O_WRONLY, O_RDONLY, O_WRONLY};
  for (int fd = 0; fd < 3; fd++) {
    /* open gives the lowest number that is free: this one */
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd]) < 0) return;
  }
}

int main(int argc, char **argv) {
  enum { HELP = 'h', VERSION = 'V' };
  static const struct option options[] = {
      {"help", no_argument, NULL, HELP}, {"version", no_argument, NULL, VERSION}, {NULL, 0, NULL, 0}};
  hold_standard_streams();
  /* A closed pipe and a file beyond the limit are errors of a write, which are reported. */
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
  opterr = 0;
  int opt = getopt_long(argc, argv, "+:hV", options, NULL);
  if (opt == HELP) return help();
  if (opt == VERSION) return version();
  if (opt != -1) return cli_bad_option(NULL, opt, argv);
  if (optind == argc) return cli_usage(NULL, "expected a command");
  const char *name = argv[optind];
  for (size_t i = 0; i < N_COMMANDS; i++) {
    if (strcmp(commands[i].name, name) != 0) continue;
    int first = optind;
    optind = 0; /* start afresh, in the order that the command wants: glibc and musl read 0 so */
    return commands[i].run(argc - first, argv + first);
  }
  return cli_usage(NULL, "unknown command '%s'", name);
}
