/* SPDX-License-Identifier: Apache-2.0 */
/* mien embed: texts in, embeddings out. */
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/run.h"

static const char command[] = "embed";

/* clang-format off */
static const struct option long_options[] = {
  {"encoder", required_argument, NULL, CLI_ENCODER},
  {"model", required_argument, NULL, CLI_MODEL},
  {"dtype", required_argument, NULL, CLI_DTYPE},
  CLI_RUN_OPTIONS,
  CLI_DEVICE_OPTIONS,
  {NULL, 0, NULL, 0},
};
/* clang-format on */

static int help(void) {
  printf(
      "Usage: mien embed [OPTION]... INPUT... -o FILE\n"
      "\n"
      "Writes the embedding of every text of the INPUTs, D float32 numbers. An INPUT is a file, a folder (its files "
      "of\n"
      "text by name), a quoted glob pattern, or - for stdin.\n"
      "\n"
      "Encoder:\n%s"
      "  --model M             the encoder of a whole model: a pack, a folder, or the name of one that mien "
      "ships\n" CLI_DTYPE_HELP
      "  --max-tokens N        cuts texts to N tokens, special ones included: 3 to the encoder's limit, the default\n"
      "\n"
      "Input:\n%s%s"
      "\n",
      cli_encoder_help, cli_formats_help, cli_fields_help);
  printf("Output:\n"
         "  -o, --output FILE     where to; a file appears when it is whole, or not at all. FILE.rows.json beside it "
         "lists\n"
         "                        bad rows, whose numbers are NaN: {\"bad_rows\":[7]}. Default: stdout, for f32\n"
         "  --output-format npy|f32\n"
         "                        default: by FILE's ending\n"
         "%s"
         "    npy                 .npy of float32 (N,D); the file must be one that can be written over\n"
         "    f32                 raw little-endian float32\n"
         "\n"
         "Run:\n%s%s%s%s",
         cli_compression_help, cli_parts_help, cli_device_help, cli_cache_help, cli_run_help);
  return cli_flush_stdout();
}

static int choose_output_format(cli_run *run) {
  if (!run->has_format && run->output && cli_format_of(run->output, &run->rows.format) &&
      (run->rows.format == MIEN_OUTPUT_NPY || run->rows.format == MIEN_OUTPUT_F32))
    run->has_format = true;
  if (!run->has_format && run->output)
    return cli_usage(command,
                     "%s: format: expected a name that ends in .npy or .f32, found another: say --output-format",
                     run->output);
  if (!run->has_format) return cli_usage(command, "expected -o FILE, or --output-format f32 for stdout");
  if (run->output) return MIEN_OK;
  if (run->rows.format == MIEN_OUTPUT_NPY)
    return cli_usage(command, "npy output needs a file that can be written over: use -o FILE");
  return isatty(STDOUT_FILENO) ? cli_usage(command, "a terminal can't show raw float32: use -o FILE") : MIEN_OK;
}

static int parse(cli_run *run, int argc, char **argv) {
  static const cli_format formats[] = {{"npy", MIEN_OUTPUT_NPY}, {"f32", MIEN_OUTPUT_F32}};
  int opt, code = MIEN_OK;
  run->rows.content = MIEN_ROWS_EMBEDDINGS;
  while (code == MIEN_OK && (opt = getopt_long(argc, argv, ":o:q", long_options, NULL)) != -1)
    code = opt == '?' || opt == ':' ? cli_bad_option(command, opt, argv) : cli_run_option(run, opt, optarg, formats, 2);
  if (code != MIEN_OK || run->help) return code;
  code = cli_run_finish_options(run, argc, argv);
  if (code == MIEN_OK && run->n_inputs == 0) code = cli_usage(command, "expected an INPUT, found none");
  if (code == MIEN_OK && cli_run_has(run, CLI_KEEP))
    code = cli_usage(command, "option '--keep': embeddings are written without fields");
  if (code == MIEN_OK && run->rows.has_id) code = cli_usage(command, "embeddings are written without ids");
  return code == MIEN_OK ? choose_output_format(run) : code;
}

int cli_embed(int argc, char **argv) {
  cli_run run;
  cli_run_init(&run, command);
  int code = parse(&run, argc, argv);
  if (code == MIEN_OK) code = run.help ? help() : cli_run_encoder(&run);
  cli_run_free(&run);
  return code;
}
