/* SPDX-License-Identifier: Apache-2.0 */
/* mien tokenize: texts in, token ids out. */
#include <getopt.h>
#include <stdio.h>

#include "cli/run.h"

static const char command[] = "tokenize";

/* clang-format off */
static const struct option long_options[] = {
  {"encoder", required_argument, NULL, CLI_ENCODER},
  {"model", required_argument, NULL, CLI_MODEL},
  CLI_RUN_OPTIONS,
  {NULL, 0, NULL, 0},
};
/* clang-format on */

static int help(void) {
  printf(
      "Usage: mien tokenize [OPTION]... INPUT...\n"
      "\n"
      "Writes the token ids of every text of the INPUTs, special ones included, as Hugging Face tokenizers 0.23 gives\n"
      "them. An INPUT is a file, a folder (its files of text by name), a quoted glob pattern, or - for stdin.\n"
      "\n"
      "Encoder:\n%s"
      "  --model M             the encoder of a whole model: a pack, a folder, or the name of one that mien ships\n"
      "  --max-tokens N        cuts texts to N tokens, special ones included, at least 3. Default: no text is cut\n"
      "\n"
      "Input:\n%s%s"
      "\n",
      cli_encoder_help, cli_formats_help, cli_fields_help);
  printf("Output:\n"
         "  -o, --output FILE     where to; a file appears when it is whole, or not at all. Default: stdout\n"
         "  --output-format jsonl {\"row\":0,\"ids\":[101,7592,102]}; a bad row: {\"row\":7,\"error\":\"line 8: "
         "...\"}. \"file\" "
         "stands\n"
         "                        behind the row where there are several inputs, then id and kept fields\n"
         "%s%s\n"
         "Run:\n%s%s",
         cli_compression_help, cli_kept_help, cli_parts_help, cli_run_help);
  return cli_flush_stdout();
}

static int parse(cli_run *run, int argc, char **argv) {
  static const cli_format formats[] = {{"jsonl", MIEN_OUTPUT_JSONL}};
  int opt, code = MIEN_OK;
  run->rows.content = MIEN_ROWS_TOKENS;
  run->rows.format = MIEN_OUTPUT_JSONL;
  while (code == MIEN_OK && (opt = getopt_long(argc, argv, ":o:q", long_options, NULL)) != -1)
    code = opt == '?' || opt == ':' ? cli_bad_option(command, opt, argv) : cli_run_option(run, opt, optarg, formats, 1);
  /* The encoder has a limit, its tokenizer none. */
  run->model.max_tokens = 0;
  if (code != MIEN_OK || run->help) return code;
  code = cli_run_finish_options(run, argc, argv);
  return code == MIEN_OK && run->n_inputs == 0 ? cli_usage(command, "expected an INPUT, found none") : code;
}

int cli_tokenize(int argc, char **argv) {
  cli_run run;
  cli_run_init(&run, command);
  int code = parse(&run, argc, argv);
  if (code == MIEN_OK) code = run.help ? help() : cli_run_encoder(&run);
  cli_run_free(&run);
  return code;
}
