/* SPDX-License-Identifier: Apache-2.0 */
/* mien bench encoder: its results as a table and as JSON. */
#include <stdio.h>

#include "cli/bench_encoder.h"
#include "encoder/panel.h"

static const char *const products_names[MIEN_PRODUCTS_COUNT] = {"f32", "bf16x3", "bf16", "int8"};

static const char *part(const bench_line *line) { return line->products ? "products" : "pass"; }

/* Shares of a pass, in the order that they are shown in. */
enum { SHARES = 6 };
static const char *const share_names[SHARES] = {"products", "rounding", "gelu", "attention", "norm", "rest"};
static void shares_of(const bench_profile *profile, double shares[SHARES]) {
  const double parts[SHARES] = {profile->products,  profile->rounding, profile->gelu,
                                profile->attention, profile->norm,     profile->rest};
  for (int i = 0; i < SHARES; i++) shares[i] = parts[i] / profile->total;
}

static bool has_profile(const bench_line *line) { return line->profile.total > 0; }

/* ---- JSON ------------------------------------------------------------------------------------------------------ */

static void print_json_line(const bench_line *line) {
  printf("{\"isa\":\"%s\",\"dtype\":\"%s\",\"part\":\"%s\",\"threads\":%u,\"texts_per_s\":%.1f,\"tokens_per_s\":%.0f,"
         "\"gb_per_s\":%.3f,\"gop_per_s\":%.2f,\"peak\":%.3f",
         mien_isa_name(line->isa), mien_dtype_name(line->dtype), part(line), line->threads, line->texts, line->tokens,
         line->bytes / 1e9, line->operations / 1e9, line->operations / line->peak);
  if (has_profile(line)) {
    double shares[SHARES];
    shares_of(&line->profile, shares);
    for (int i = 0; i < SHARES; i++) printf("%s\"%s\":%.4f", i ? "," : ",\"profile\":{", share_names[i], shares[i]);
    printf("}");
  }
  printf("}");
}

static void print_json_peaks(const encoder_bench *bench) {
  const char *separator = "";
  for (int column = 0; column < 2; column++)
    for (int products = 0; products < MIEN_PRODUCTS_COUNT; products++)
      for (int isa = 0; isa < MIEN_ISA_COUNT; isa++) {
        if (bench->peaks[column][products][isa] <= 0) continue;
        printf("%s{\"isa\":\"%s\",\"products\":\"%s\",\"threads\":%u,\"gop_per_s\":%.2f}", separator,
               mien_isa_name((mien_isa)isa), products_names[products], column ? bench->options.threads : 1,
               bench->peaks[column][products][isa] / 1e9);
        separator = ",";
      }
}

static void print_json(const encoder_bench *bench) {
  const int all = bench->options.threads > 1;
  printf("{\"results\":[");
  for (size_t i = 0; i < bench->n_lines; i++) {
    if (i) printf(",");
    print_json_line(&bench->lines[i]);
  }
  printf("],\"peaks\":[");
  print_json_peaks(bench);
  printf("],\"read_gb_per_s\":%.3f,\"read_gb_per_s_1\":%.3f,\"peak_gflop_per_s\":%.2f,\"peak_gflop_per_s_1\":%.2f,"
         "\"layers\":%zu,\"hidden\":%zu,\"texts\":%d,\"tokens\":%zu}\n",
         bench->read[all] / 1e9, bench->read[0] / 1e9, bench->flops[all] / 1e9, bench->flops[0] / 1e9,
         bench->config.layers, bench->config.hidden, BENCH_TEXTS, bench->n_tokens);
}

/* ---- Table ----------------------------------------------------------------------------------------------------- */

static void print_lines(const encoder_bench *bench) {
  printf("%-7s %-11s %-9s %7s %9s %9s %7s %8s %8s\n", "dtype", "isa", "part", "threads", "texts/s", "tokens/s", "GB/s",
         "GOP/s", "of peak");
  for (size_t i = 0; i < bench->n_lines; i++) {
    const bench_line *line = &bench->lines[i];
    printf("%-7s %-11s %-9s %7u %9.1f %9.0f %7.2f %8.1f %7.0f%%\n", mien_dtype_name(line->dtype),
           mien_isa_name(line->isa), part(line), line->threads, line->texts, line->tokens, line->bytes / 1e9,
           line->operations / 1e9, 100 * line->operations / line->peak);
  }
}

static void print_profiles(const encoder_bench *bench) {
  bool is_first = true;
  for (size_t i = 0; i < bench->n_lines; i++) {
    const bench_line *line = &bench->lines[i];
    if (!has_profile(line)) continue;
    if (is_first) {
      printf("\nWhere the time of a pass goes, one thread:\n\n%-7s %-11s", "dtype", "isa");
      for (int k = 0; k < SHARES; k++) printf(" %9s", share_names[k]);
      printf("\n");
    }
    is_first = false;
    double shares[SHARES];
    shares_of(&line->profile, shares);
    printf("%-7s %-11s", mien_dtype_name(line->dtype), mien_isa_name(line->isa));
    for (int k = 0; k < SHARES; k++) printf(" %8.1f%%", 100 * shares[k]);
    printf("\n");
  }
}

static void print_peaks(const encoder_bench *bench) {
  printf("\nThis machine, GOP/s of multiply-adds in registers on one thread");
  if (bench->options.threads > 1) printf(" (%u)", bench->options.threads);
  printf(":\n");
  for (int products = 0; products < MIEN_PRODUCTS_COUNT; products++) {
    const char *separator = ": ";
    for (int isa = 0; isa < MIEN_ISA_COUNT; isa++) {
      const double one = bench->peaks[0][products][isa], all = bench->peaks[1][products][isa];
      if (one <= 0) continue;
      printf("%s%s%s %.1f", *separator == ':' ? products_names[products] : "", separator, mien_isa_name((mien_isa)isa),
             one / 1e9);
      if (all > 0) printf(" (%.1f)", all / 1e9);
      separator = ", ";
    }
    if (*separator == ',') printf("\n");
  }
  printf("Reads the %s weights at %.1f GB/s", mien_dtype_name(bench->lines[0].dtype), bench->read[0] / 1e9);
  if (bench->options.threads > 1) printf(" (%.1f)", bench->read[1] / 1e9);
  printf(".\n");
}

static void print_table(const encoder_bench *bench) {
  printf("%zu layers of %zu, %d texts of %.1f tokens on average\n\n", bench->config.layers, bench->config.hidden,
         BENCH_TEXTS, (double)bench->n_tokens / BENCH_TEXTS);
  print_lines(bench);
  print_profiles(bench);
  print_peaks(bench);
}

void bench_encoder_print(const encoder_bench *bench) {
  if (bench->options.json)
    print_json(bench);
  else
    print_table(bench);
}
