/* SPDX-License-Identifier: Apache-2.0 */
/* What bench measured on a CUDA device, as a table or as JSON. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench_cuda.h"
#include "encoder/panel.h"

static double per_second(const mien_cuda_measure *measure, double amount) { return amount / measure->seconds; }

/* ---- JSON -------------------------------------------------------------------------------------------------------- */

/* A string of a driver's, with what JSON wants escaped. */
static void print_json_string(const char *text) {
  json_t *string = json_string(text);
  char *shown = string ? json_dumps(string, JSON_ENCODE_ANY | JSON_ENSURE_ASCII) : NULL;
  printf("%s", shown ? shown : "\"\"");
  free(shown);
  json_decref(string);
}

static void print_json_shares(const cuda_bench *bench, const mien_cuda_measure *line) {
  const char *limit;
  const double share = bench_cuda_share(bench, line, &limit);
  printf(",\"gb_per_s\":%.3f,\"tflop_per_s\":%.4f,\"roof\":%.4f,\"limit\":\"%s\"", per_second(line, line->bytes) / 1e9,
         per_second(line, line->operations) / 1e12, share, limit);
}

static void print_json_line(const cuda_bench *bench, const mien_cuda_measure *line) {
  printf("{\"dtype\":\"%s\",\"part\":\"%s\",\"way\":\"%s\",\"by_itself\":%s", mien_dtype_name(line->dtype), line->part,
         line->way, line->by_itself ? "true" : "false");
  if (line->subject == MIEN_MEASURE_HEAD)
    printf(",\"output\":\"%s\",\"us\":%.2f,\"rows_per_s\":%.0f", line->output, line->seconds * 1e6,
           per_second(line, line->rows));
  else
    printf(",\"us\":%.2f,\"texts_per_s\":%.0f,\"tokens_per_s\":%.0f,\"peak\":%.4f", line->seconds * 1e6,
           per_second(line, line->texts), per_second(line, line->tokens), bench_cuda_peak(bench, line));
  print_json_shares(bench, line);
  printf("}");
}

static void print_json_roof(const mien_cuda_measure *roof) {
  printf("{\"name\":\"%s\",\"%s\":%.3f}", roof->part, roof->bytes > 0 ? "gb_per_s" : "tflop_per_s",
         bench_cuda_rate(roof) / (roof->bytes > 0 ? 1e9 : 1e12));
}

static void print_json_list(const cuda_bench *bench, const char *name, mien_cuda_subject subject) {
  const char *separator = "";
  printf("\"%s\":[", name);
  for (size_t i = 0; i < bench->n_measures; i++) {
    const mien_cuda_measure *measure = &bench->measures[i];
    if (measure->subject != subject) continue;
    printf("%s", separator);
    separator = ",";
    if (subject == MIEN_MEASURE_ROOF)
      print_json_roof(measure);
    else
      print_json_line(bench, measure);
  }
  printf("]");
}

static void print_json(const cuda_bench *bench, mien_cuda_subject subject) {
  printf("{");
  print_json_list(bench, "results", subject);
  printf(",");
  print_json_list(bench, "roofs", MIEN_MEASURE_ROOF);
  printf(",\"device\":\"cuda:%d\",\"name\":", (int)bench->options.ordinal);
  print_json_string(bench->info.name);
  printf(",\"isa\":\"%s\",\"multiprocessors\":%d", bench->info.isa, bench->info.multiprocessors);
  if (subject == MIEN_MEASURE_HEAD)
    printf(",\"labels\":%zu,\"dim\":%zu,\"rows\":%zu}\n", bench->n_labels, bench->dim, bench->options.n_rows);
  else
    printf(",\"layers\":%zu,\"hidden\":%zu,\"texts\":%zu,\"tokens\":%zu}\n", bench->layers, bench->hidden,
           bench->n_texts, bench->n_tokens);
}

/* ---- Tables ------------------------------------------------------------------------------------------------------ */

/* A number, or as much space where there is none. */
static void print_number(int width, int digits, double number) {
  if (number > 0)
    printf(" %*.*f", width, digits, number);
  else
    printf(" %*s", width, "");
}

static void print_shares(const cuda_bench *bench, const mien_cuda_measure *line) {
  const char *limit;
  const double share = bench_cuda_share(bench, line, &limit);
  print_number(8, 1, per_second(line, line->bytes) / 1e9);
  print_number(8, 2, per_second(line, line->operations) / 1e12);
  if (limit[0]) printf(" %4.0f%% of %s", 100 * share, limit);
}

static const char *mark(const mien_cuda_measure *line) { return line->way[0] && line->by_itself ? "*" : ""; }

static void print_head_line(const cuda_bench *bench, const mien_cuda_measure *line) {
  printf("%-6s %-7s %6s%-1s %-7s %14.0f", mien_dtype_name(line->dtype), line->part, line->way, mark(line), line->output,
         per_second(line, line->rows));
  print_shares(bench, line);
  printf("\n");
}

static void print_encoder_line(const cuda_bench *bench, const mien_cuda_measure *line) {
  printf("%-7s %-16s %6s%-1s %11.1f %10.0f %11.0f", mien_dtype_name(line->dtype), line->part, line->way, mark(line),
         line->seconds * 1e6, per_second(line, line->texts), per_second(line, line->tokens));
  print_shares(bench, line);
  if (line->way[0] && line->peak[0] && strcmp(line->peak, line->operations_roof) != 0)
    printf(", %.0f%% of %s", 100 * bench_cuda_peak(bench, line), line->peak);
  printf("\n");
}

static void print_roofs(const cuda_bench *bench) {
  printf(
      "\nThis device, in the same run: copy reads and writes its memory, read reads it, link is from pinned memory of "
      "the\nhost, fma and mma (mma.sync) work in registers, cublas multiplies 8192 × 8192 × 8192.\n\n");
  for (size_t i = 0; i < bench->n_measures; i++) {
    const mien_cuda_measure *roof = &bench->measures[i];
    if (roof->subject != MIEN_MEASURE_ROOF) continue;
    printf("%-12s %9.1f %s\n", roof->part, bench_cuda_rate(roof) / (roof->bytes > 0 ? 1e9 : 1e12),
           roof->bytes > 0 ? "GB/s" : "TFLOP/s");
  }
}

static void print_table(const cuda_bench *bench, mien_cuda_subject subject) {
  printf("cuda:%d, %s (%s), %d multiprocessors\n", (int)bench->options.ordinal, bench->info.name, bench->info.isa,
         bench->info.multiprocessors);
  if (subject == MIEN_MEASURE_HEAD)
    printf("%zu rows of %zu numbers, %zu labels\n\n%-6s %-7s %-7s %-7s %14s %8s %8s %s\n", bench->options.n_rows,
           bench->dim, bench->n_labels, "rows", "from", "   way", "output", "rows/s", "GB/s", "TFLOP/s", "of roof");
  else
    printf("%zu layers of %zu, %zu texts of %.1f tokens on average\n\n%-7s %-16s %-7s %11s %10s %11s %8s %8s %s\n",
           bench->layers, bench->hidden, bench->n_texts, (double)bench->n_tokens / (double)bench->n_texts, "dtype",
           "part", "   way", "us", "texts/s", "tokens/s", "GB/s", "TFLOP/s", "of roof");
  for (size_t i = 0; i < bench->n_measures; i++) {
    const mien_cuda_measure *line = &bench->measures[i];
    if (line->subject != subject) continue;
    if (subject == MIEN_MEASURE_HEAD)
      print_head_line(bench, line);
    else
      print_encoder_line(bench, line);
  }
  printf("\n* what is taken where nobody says which.\n");
  print_roofs(bench);
}

void bench_cuda_print(const cuda_bench *bench, mien_cuda_subject subject) {
  if (bench->options.json)
    print_json(bench, subject);
  else
    print_table(bench, subject);
}
