/* SPDX-License-Identifier: Apache-2.0 */
/* mien bench: its options, and which subject is measured. */
#include "cli/bench.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char command[] = "bench";

enum { DEFAULT_ROWS = 400000, DEFAULT_CUDA_ROWS = 2000000, MAX_TOKENS = 100000 };
static const double default_seconds = 0.5;

typedef enum bench_subject { NOTHING, HEAD, ENCODER } bench_subject;

typedef struct bench_request {
  bench_subject subject;
  bool help, random, has_model, has_rows, has_tokens, has_threads;
  cli_bench_options options;
  cli_model model;
} bench_request;

static void help_cpu(void) {
  printf(
      "Usage: mien bench head|encoder [OPTION]...\n"
      "\n"
      "Measures speed in memory, for each instruction set of this CPU, on one thread and on all, beside this "
      "machine's\n"
      "read bandwidth and multiply-add peaks; or on a CUDA device, beside that one's. Best of several runs.\n"
      "\n"
      "head: random rows of unit length to labels, by the head given, or a random one of 28 labels and 384 "
      "dimensions.\n"
      "'words' gives labels only; 'scores' writes all scores as well.\n"
      "encoder: token ids to embeddings, by the encoder given, or the shipped one, in its own dtype or --dtype; or "
      "with\n"
      "--random by one of 12 layers of 384 in --dtype, or in each of f32, bf16x3, bf16 and int8 whose code is not\n"
      "another's. 'pass' is the whole forward pass, 'products' its matrix products with weights alone. The peak is "
      "what\n"
      "the instruction set's own products of the dtype do in registers. Where the fastest code of a dtype is under "
      "half\n"
      "of it, a profile of a pass follows.\n"
      "\n"
      "  --json               one JSON object on stdout.\n"
      "                       head: results [{isa, output (\"words\", \"scores\"), threads, rows_per_s, gb_per_s "
      "(10^9\n"
      "                       bytes of embeddings), gflop_per_s (2·L·D a row), roof (share of the lower roof)}],\n"
      "                       read_gb_per_s, peak_gflop_per_s (all threads), read_gb_per_s_1, peak_gflop_per_s_1 (one\n"
      "                       thread), labels, dim, rows\n"
      "                       encoder: results [{isa, dtype, part (\"pass\", \"products\"), threads, texts_per_s,\n"
      "                       tokens_per_s, gb_per_s (10^9 bytes of weights that batches read), gop_per_s (10^9\n"
      "                       operations, two to a multiply-add), peak (share of the peak), and where there is one\n"
      "                       profile {products, rounding (of activations), gelu, attention, norm, rest} (shares of a\n"
      "                       pass)}], peaks [{isa, products (dtype), threads, gop_per_s}], read_gb_per_s (the first\n"
      "                       dtype's weights), read_gb_per_s_1, peak_gflop_per_s, peak_gflop_per_s_1, layers, "
      "hidden,\n"
      "                       texts, tokens\n");
}

static void help_options(void) {
  printf("  --random             encoder: random weights, of no model\n"
         "  --device DEVICE      what is measured: cpu, cuda (the first) or cuda:N (from 0). Default: cpu\n"
         "  --profile            encoder, cpu: a profile of all code, not only of what is far from its peak\n"
         "  --rows N             head: rows in memory, 1 to 100000000 (default: %d; on a CUDA device %d)\n"
         "  --tokens N           encoder: tokens of every text (default: lengths of comments, 20 on average)\n"
         "  --threads N          cpu: the most threads, 1 to 1024 (default: all CPUs of this process)\n"
         "  --seconds X          the least time for each line, in seconds (default: %.1f). On a CUDA device 0 tries "
         "all\n"
         "                       that is measured at small sizes, whose figures say nothing\n"
         "%s"
         "  --help               show this\n",
         DEFAULT_ROWS, DEFAULT_CUDA_ROWS, default_seconds, cli_model_help);
}

static void help_cuda(void) {
  printf(
      "\n"
      "On a CUDA device everything is in its memory, and each line stands beside the roof that leaves it the most "
      "time,\n"
      "measured in the same run. Two ways are measured, 'own' kernels and 'cublas' (cuBLASLt) with what follows its\n"
      "products; the one that is taken where nobody says which is marked.\n"
      "head: rows of f32, f16 and bf16, from the device's memory, and from pinned memory of the host and back.\n"
      "encoder: 'pass', texts in batches; 'submit', the same from the host's memory and back, by one stream; and of a\n"
      "full batch each kernel: products (query_key_value, attention_output, up, down) with bias, GELU, residual and\n"
      "LayerNorm; embed, attention, norm (LayerNorm by itself), pool (with a head).\n"
      "\n"
      "  --json               head: results [{dtype (of rows), part (\"device\", \"host\": where they are), way "
      "(\"own\",\n"
      "                       \"cublas\"), by_itself (taken where nobody says which), output (\"words\", "
      "\"scores\"),\n"
      "                       us (microseconds), rows_per_s, gb_per_s (10^9 bytes of rows), tflop_per_s (10^12, 2·L·D "
      "a\n"
      "                       row), roof (share), limit (the roof's name)}], labels, dim, rows\n"
      "                       encoder: results [{dtype, part, way (\"\" where there is one), by_itself, us, "
      "texts_per_s,\n"
      "                       tokens_per_s, gb_per_s (the least that is moved; 0 of passes), tflop_per_s (of "
      "products,\n"
      "                       two to a multiply-add; bf16x3 takes three products for one), roof, limit, peak (share "
      "of\n"
      "                       what cuBLASLt reaches, of f32 multiply-adds)}], layers, hidden, texts, tokens\n"
      "                       both: roofs [{name, gb_per_s or tflop_per_s}], device, name, isa, multiprocessors\n"
      "                       names of roofs: copy (device memory, read and written), read (it is read), link (from\n"
      "                       pinned memory of the host), fma_f32, mma_bf16, mma_f16 (mma.sync; in registers),\n"
      "                       cublas_bf16, cublas_f16 (products of 8192 × 8192 × 8192)\n");
}

static int help(void) {
  help_cpu();
  help_options();
  help_cuda();
  printf("\n"
         "Exit codes: 0 done, 1 a bug, 2 usage, 3 bad input, 4 memory, disk or device missing.\n");
  return cli_flush_stdout();
}

static uint64_t next_random(uint64_t *state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return *state >> 33;
}

float cli_random_normal(uint64_t *state) {
  float sum = 0;
  for (int i = 0; i < 4; i++) sum += (float)next_random(state) * 0x1p-30f - 1;
  return sum;
}

/* A number of seconds in [0, 60]. */
static bool parse_seconds(const char *text, double *seconds) {
  char *end;
  *seconds = strtod(text, &end);
  return end != text && *end == '\0' && *seconds >= 0 && *seconds <= 60;
}

static int set_count(const char *option, const char *text, uint64_t most, size_t *value) {
  uint64_t number;
  if (!cli_parse_uint(text, 1, most, &number))
    return cli_usage(command, "%s: expected 1 to %llu, found '%s'", option, (unsigned long long)most, text);
  *value = (size_t)number;
  return MIEN_OK;
}

/* What is said of the CPU alone. */
static int check_device(const bench_request *request) {
  if (request->options.device == MIEN_DEVICE_CPU) return MIEN_OK;
  if (request->has_threads) return cli_usage(command, "option '--threads' is for cpu");
  if (request->options.profile) return cli_usage(command, "option '--profile' is for cpu");
  return MIEN_OK;
}

static int set_subject(bench_request *request, int n_arguments, char **arguments) {
  if (n_arguments == 1 && strcmp(arguments[0], "head") == 0) request->subject = HEAD;
  if (n_arguments == 1 && strcmp(arguments[0], "encoder") == 0) request->subject = ENCODER;
  if (request->subject == NOTHING) return cli_usage(command, "expected what to measure: head or encoder");
  if (request->has_rows && request->subject != HEAD) return cli_usage(command, "option '--rows' is for head");
  if (request->has_tokens && request->subject != ENCODER) return cli_usage(command, "option '--tokens' is for encoder");
  if (request->options.profile && request->subject != ENCODER)
    return cli_usage(command, "option '--profile' is for encoder");
  if (request->random && request->subject != ENCODER) return cli_usage(command, "option '--random' is for encoder");
  if (request->random && request->has_model)
    return cli_usage(command, "option '--random' goes without a model and its options, but for --dtype");
  if (request->subject == ENCODER && request->model.head)
    return cli_usage(command, "option '--head' is for head; an encoder is named by --model or --encoder");
  if (!request->has_rows && request->options.device == MIEN_DEVICE_CUDA) request->options.n_rows = DEFAULT_CUDA_ROWS;
  return check_device(request);
}

/* The exit code of a usage error, or MIEN_OK. */
static int parse(int argc, char **argv, bench_request *request) {
  enum { JSON = CLI_OWN, PROFILE, RANDOM, DEVICE, ROWS, TOKENS, THREADS, SECONDS, HELP };
  static const struct option options[] = {CLI_MODEL_OPTIONS,
                                          {"json", no_argument, NULL, JSON},
                                          {"profile", no_argument, NULL, PROFILE},
                                          {"random", no_argument, NULL, RANDOM},
                                          {"device", required_argument, NULL, DEVICE},
                                          {"rows", required_argument, NULL, ROWS},
                                          {"tokens", required_argument, NULL, TOKENS},
                                          {"threads", required_argument, NULL, THREADS},
                                          {"seconds", required_argument, NULL, SECONDS},
                                          {"help", no_argument, NULL, HELP},
                                          {NULL, 0, NULL, 0}};
  int opt, code = MIEN_OK;
  size_t threads = 0;
  while (code == MIEN_OK && (opt = getopt_long(argc, argv, ":", options, NULL)) != -1) {
    switch (opt) {
    case JSON: request->options.json = true; break;
    case PROFILE: request->options.profile = true; break;
    case RANDOM: request->random = true; break;
    case HELP: request->help = true; return MIEN_OK;
    case DEVICE:
      code = cli_device_parse(command, optarg, false, &request->options.device, &request->options.ordinal);
      break;
    case ROWS:
      request->has_rows = true;
      code = set_count("--rows", optarg, 100000000, &request->options.n_rows);
      break;
    case TOKENS:
      request->has_tokens = true;
      code = set_count("--tokens", optarg, MAX_TOKENS, &request->options.tokens);
      break;
    case THREADS:
      request->has_threads = true;
      code = set_count("--threads", optarg, CLI_MAX_THREADS, &threads);
      if (code == MIEN_OK) request->options.threads = (unsigned)threads;
      break;
    case SECONDS:
      if (!parse_seconds(optarg, &request->options.seconds))
        code = cli_usage(command, "--seconds: expected a number from 0 to 60, found '%s'", optarg);
      break;
    case '?':
    case ':': return cli_bad_option(command, opt, argv);
    default: request->has_model |= opt != CLI_DTYPE; code = cli_model_option(&request->model, command, opt, optarg);
    }
  }
  return code == MIEN_OK ? set_subject(request, argc - optind, argv + optind) : code;
}

static mien_status measure(const bench_request *request, const mien_model *model, mien_error *error) {
  const cli_bench_options *options = &request->options;
  if (options->device == MIEN_DEVICE_CUDA)
    return request->subject == HEAD ? cli_bench_cuda_head(options, model, error)
                                    : cli_bench_cuda_encoder(options, model, error);
  return request->subject == HEAD ? cli_bench_head(options, model, error) : cli_bench_encoder(options, model, error);
}

static int run(bench_request *request) {
  mien_error error;
  mien_model *model = NULL;
  const cli_model_use use = request->subject == HEAD ? CLI_USE_HEAD : CLI_USE_ENCODER;
  const bool has_model = request->has_model || (request->subject == ENCODER && !request->random);
  int code = has_model ? cli_model_open(&request->model, command, use, &model) : MIEN_OK;
  if (code == MIEN_OK && request->options.device == MIEN_DEVICE_CUDA) code = cli_device_find_libraries(command);
  if (code != MIEN_OK) {
    mien_model_release(model);
    return code;
  }
  if (request->model.has_dtype) request->options.dtype = &request->model.dtype;
  mien_status status = measure(request, model, &error);
  mien_model_release(model);
  return status == MIEN_OK ? cli_flush_stdout() : cli_report(command, &error);
}

int cli_bench(int argc, char **argv) {
  bench_request request = {
      .options = {.n_rows = DEFAULT_ROWS, .seconds = default_seconds, .threads = mien_cpu_count()}};
  int code = parse(argc, argv, &request);
  if (code == MIEN_OK) code = request.help ? help() : run(&request);
  cli_model_free(&request.model);
  return code;
}
