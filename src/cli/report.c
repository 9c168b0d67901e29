/* SPDX-License-Identifier: Apache-2.0 */
/* mien report: results in, one page out that tells what is in them. */
#include "cli/report.h"

#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "cli/parts_header.h"
#include "corpus/output.h"

static const char command[] = "report";

enum { OUTPUT = 'o', QUIET = 'q', HELP = 'h', JSON = CLI_OWN, TEXT_FIELD, BY, METRICS, INPUT_FORMAT };

/* clang-format off */
static const struct option long_options[] = {
  {"output", required_argument, NULL, OUTPUT},
  {"json", no_argument, NULL, JSON},
  {"by", required_argument, NULL, BY},
  {"text-field", required_argument, NULL, TEXT_FIELD},
  {"metrics", required_argument, NULL, METRICS},
  {"model", required_argument, NULL, CLI_MODEL},
  {"head", required_argument, NULL, CLI_HEAD},
  {"labels", required_argument, NULL, CLI_LABELS},
  {"thresholds", required_argument, NULL, CLI_THRESHOLDS},
  {"threshold", required_argument, NULL, CLI_THRESHOLD},
  {"input-format", required_argument, NULL, INPUT_FORMAT},
  {"quiet", no_argument, NULL, QUIET},
  {"help", no_argument, NULL, HELP},
  {NULL, 0, NULL, 0},
};
/* clang-format on */

typedef struct reporting {
  cli_model model;
  const char *output; /* the page's; NULL: none */
  bool has_output, is_json, quiet;
  const char *metrics;         /* NULL: those beside the model */
  bool is_default;             /* the model was not named */
  char beside[CLI_PATH_CHARS]; /* metrics.json, where it is there; else empty */
  cli_results results;
  cli_tally tally;
  cli_measured measured;
  cli_findings report;
  mien_output *page_output, *json_output; /* NULL: none */
  mien_buffer page, text;
} reporting;

static int help(void) {
  printf(
      "Usage: mien report [OPTION]... RESULTS... -o FILE.html\n"
      "\n"
      "Writes one page on what mien label found: how often each label was given, beside how often it is true, with\n"
      "intervals; labels together; scores; example texts; and how these are over time or by a field. The page is one\n"
      "file, which loads nothing. Memory does not grow with the rows.\n"
      "\n"
      "RESULTS are outputs of one model: jsonl, csv, npy or bits by their ending, compressed too, folders of parts, "
      "or\n"
      "- for stdin.\n"
      "\n"
      "  -o, --output FILE     the page; appears when it is whole, or not at all. - for stdout\n"
      "  --json                the numbers as one JSON object on stdout; with -o the page is written too\n"
      "  --by FIELD            a field that was kept (mien label --keep): over time where its values are dates (ISO\n"
      "                        8601, or seconds, milliseconds or microseconds since 1970), else by its values\n"
      "  --text-field NAME     the field that example texts are of. Default: text\n"
      "  --model PATH, --head PATH\n"
      "                        what gave the labels. Default: what folders of parts say, else " CLI_DEFAULT_MODEL ",\n"
      "                        where the labels are its and no other figures are named\n"
      "  --labels FILE, --thresholds FILE, --threshold X, --threshold LABEL=X\n"
      "                        as it was labelled with\n"
      "  --metrics FILE        how it did on labelled rows, by which counts are corrected: metrics.json of a model, "
      "or\n"
      "                        what mien evaluate --json writes. Default: metrics.json beside the model\n"
      "  --input-format jsonl|csv|npy|bits\n"
      "                        whatever the ending\n"
      "  -q, --quiet           no summary on stderr\n"
      "  --help                show this\n"
      "\n"
      "Exit codes: 0 done, 1 a bug, 2 usage, 3 bad input, 4 memory or disk missing, 5 interrupted.\n");
  return cli_flush_stdout();
}

const char *cli_correction_name(cli_correction correction) {
  static const char *const names[] = {"corrected",        "no_figures",     "other_threshold",
                                      "too_few_measured", "not_identified", "inconsistent"};
  return names[correction];
}

bool cli_report_truncated(const cli_findings *report, uint64_t *n) {
  *n = report->tally->n_truncated + report->results->n_truncated;
  return report->results->tells_truncated;
}

/* ---- The model --------------------------------------------------------------------------------------------------- */

static void find_metrics(reporting *r) {
  struct stat info;
  const char *path = cli_model_path(&r->model);
  const char *slash = strrchr(path, '/');
  const bool is_folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
  const int length = is_folder ? (int)strlen(path) : slash ? (int)(slash - path) : 0;
  const int written =
      snprintf(r->beside, sizeof r->beside, "%.*s%smetrics.json", length, path, is_folder || slash ? "/" : "");
  if (written < 0 || (size_t)written >= sizeof r->beside || !cli_exists(r->beside)) r->beside[0] = '\0';
}

static mien_status know_model(reporting *r, const mien_model *model, mien_error *error) {
  const size_t n = mien_model_label_count(model);
  const char **labels = mien_alloc(n, sizeof *labels);
  float *thresholds = mien_alloc(n, sizeof *thresholds);
  mien_status status = labels && thresholds ? MIEN_OK : mien_fail_memory(error, command, n * sizeof *labels);
  for (size_t i = 0; status == MIEN_OK && i < n; i++) {
    labels[i] = mien_model_label_name(model, i);
    thresholds[i] = mien_model_threshold(model, i);
  }
  const char *path = cli_model_path(&r->model);
  if (status == MIEN_OK) status = cli_parts_hash_head(model, r->results.head, error);
  if (status == MIEN_OK)
    status = r->is_default ? cli_results_assume(&r->results, path, labels, n, thresholds, error)
                           : cli_results_know(&r->results, path, labels, n, thresholds, error);
  mien_free(labels);
  mien_free(thresholds);
  return status;
}

/* Without a model's name it is the one that runs by default, unless results say otherwise. Returns the exit code. */
static int read_model(reporting *r) {
  mien_model *model = NULL;
  mien_error error;
  const cli_model *named = &r->model;
  r->is_default = !cli_model_is_named(named) && !named->thresholds_path && !named->has_threshold && !named->n_overrides;
  /* Figures that are named are of a model that is not. */
  if (r->is_default && (r->metrics || !cli_model_path(&r->model))) return MIEN_OK;
  int code = cli_model_open(&r->model, command, CLI_USE_HEAD, &model);
  if (code != MIEN_OK) return code;
  find_metrics(r);
  if (know_model(r, model, &error) != MIEN_OK) code = cli_report(command, &error);
  mien_model_release(model);
  return code;
}

/* ---- What there is to tell --------------------------------------------------------------------------------------- */

static mien_status take_row(void *user, const cli_result *result, mien_error *error) {
  reporting *r = user;
  return cli_tally_add(&r->tally, result, error);
}

/* Why no figures are of these results, whichever there are; NULL: they may be. */
static const char *why_uncorrected(const reporting *r) {
  if (r->results.has_other_labels)
    return "the labels are not those of " CLI_DEFAULT_MODEL "; --model names the model, --metrics figures of it";
  if (r->results.has_other_model)
    return r->is_default ? "their manifest says that the model is not " CLI_DEFAULT_MODEL "; --model names it"
                         : "their manifest says that another model than the one that is named gave the labels";
  if (r->results.has_split)
    return "long texts were labelled by their spans (--long split), and figures are of texts that were not";
  if (!r->metrics && !r->beside[0]) return "how the model does on labelled rows is not known; --metrics says it";
  return NULL;
}

/* The threshold that a label was given by, as the model has it or else the figures; NULL: not known. */
static const float *threshold_of(const reporting *r, size_t label) {
  const cli_measured_label *measured = r->measured.path ? &r->measured.labels[label] : NULL;
  if (r->results.thresholds) return &r->results.thresholds[label];
  return measured && measured->has_threshold ? &measured->threshold : NULL;
}

/* Whether labels were given by other thresholds, or more than thresholds; *is_told: whether all results show it. */
static bool has_other_rule(const reporting *r, bool *is_told) {
  bool is_other = r->results.has_other_rule;
  *is_told = r->results.n_untold == 0;
  for (size_t l = 0; l < r->results.labels.n; l++) {
    const float *threshold = threshold_of(r, l);
    if (threshold) is_other |= cli_tally_contradicts(&r->tally, l, *threshold);
    *is_told &= threshold || (r->measured.path && !r->measured.labels[l].is_there);
  }
  return is_other;
}

static void assume(reporting *r, bool is_so, const char *what) {
  if (is_so) r->report.assumed[r->report.n_assumed++] = what;
}

static mien_status read_measured(reporting *r, mien_error *error) {
  bool tells_rule;
  const char *path = r->metrics ? r->metrics : r->beside;
  mien_status status = MIEN_OK;
  r->report.uncorrected = why_uncorrected(r);
  if (!r->report.uncorrected) status = cli_measured_read(path, &r->results.labels, &r->measured, error);
  if (status != MIEN_OK) return status;
  const bool is_other = has_other_rule(r, &tells_rule);
  r->report.is_by_thresholds = tells_rule && !is_other;
  if (is_other && !r->results.has_split) {
    r->report.uncorrected =
        "some labels were not given by the thresholds that are known, but by --top-k, --min-labels, "
        "other thresholds or another model";
    cli_measured_free(&r->measured);
  }
  if (!r->measured.path) return MIEN_OK;
  assume(r, r->is_default && !r->metrics && r->results.n_of_head < r->results.n_rows,
         "these are results of " CLI_DEFAULT_MODEL);
  assume(r, !tells_rule,
         "labels were given by the thresholds that the figures are of, without --top-k or --min-labels");
  assume(r, !r->results.tells_truncated, "no text was labelled by its spans (--long split)");
  return MIEN_OK;
}

static cli_correction correct(const reporting *r, cli_report_label *label, double *draws) {
  label->prevalence = (mien_prevalence){MIEN_PREVALENCE_UNMEASURED, NAN, {NAN, NAN}};
  if (!r->measured.path) return CLI_NO_FIGURES;
  const cli_measured_label *measured = &r->measured.labels[label->label];
  const float *thresholds = r->results.thresholds;
  if (!measured->is_there) return CLI_NO_FIGURES;
  if (thresholds && measured->has_threshold && fabsf(measured->threshold - thresholds[label->label]) > 1e-6F)
    return CLI_OTHER_THRESHOLD;
  label->prevalence = mien_prevalence_of(&measured->confusion, label->rows, cli_tally_labelled(&r->tally),
                                         CLI_REPORT_CONFIDENCE, draws);
  switch (label->prevalence.state) {
  case MIEN_PREVALENCE_FOUND: return CLI_CORRECTED;
  case MIEN_PREVALENCE_NOT_IDENTIFIED: return CLI_NOT_IDENTIFIED;
  case MIEN_PREVALENCE_INCONSISTENT: return CLI_INCONSISTENT;
  case MIEN_PREVALENCE_UNMEASURED: return CLI_TOO_FEW_MEASURED;
  default: return CLI_NO_FIGURES; /* no row to count */
  }
}

static int by_rows(const void *a, const void *b) {
  const cli_report_label *left = a, *right = b;
  if (left->rows != right->rows) return left->rows > right->rows ? -1 : 1;
  return (left->label > right->label) - (left->label < right->label);
}

static mien_status list_labels(reporting *r, mien_error *error) {
  const mien_label_set *set = &r->results.labels;
  cli_findings *report = &r->report;
  double *draws = mien_alloc(MIEN_PREVALENCE_DRAWS, sizeof *draws);
  report->labels = mien_alloc(set->n, sizeof *report->labels);
  mien_status status = MIEN_OK;
  if (!draws || !report->labels) status = mien_fail_memory(error, command, set->n * sizeof *report->labels);
  for (size_t l = 0; status == MIEN_OK && l < set->n; l++) {
    /* What was assumed and is not so has left labels that no row has. */
    if (!r->results.has_labels && r->tally.counts[l] == 0) continue;
    cli_report_label *label = &report->labels[report->n_labels++];
    *label = (cli_report_label){.label = l, .name = set->names[l], .rows = r->tally.counts[l]};
    label->correction = correct(r, label, draws);
  }
  if (status == MIEN_OK) qsort(report->labels, report->n_labels, sizeof *report->labels, by_rows);
  mien_free(draws);
  return status;
}

/* Keeps the pairs with the most rows, sorted; of equal ones the first. */
static void keep_pair(cli_findings *report, const cli_report_pair *pair) {
  size_t place = report->n_pairs;
  while (place > 0 && report->pairs[place - 1].rows < pair->rows) place--;
  if (place == CLI_REPORT_PAIRS) return;
  if (report->n_pairs < CLI_REPORT_PAIRS) report->n_pairs++;
  memmove(report->pairs + place + 1, report->pairs + place, (report->n_pairs - 1 - place) * sizeof *pair);
  report->pairs[place] = *pair;
}

static void list_pairs(cli_findings *report) {
  const double n = (double)cli_tally_labelled(report->tally);
  for (size_t a = 0; a < report->n_labels; a++)
    for (size_t b = a + 1; b < report->n_labels; b++) {
      const cli_report_label *left = &report->labels[a], *right = &report->labels[b];
      const uint64_t rows = cli_tally_pair(report->tally, left->label, right->label);
      if (rows == 0) continue;
      const double expected = (double)left->rows * ((double)right->rows / n);
      keep_pair(report, &(cli_report_pair){a, b, rows, (double)rows / expected});
    }
}

static mien_status sort_by(reporting *r, mien_error *error) {
  cli_tally_by *by = r->tally.by;
  if (!by) return MIEN_OK;
  if (by->n_values == 0)
    return mien_fail(error, MIEN_INPUT,
                     "--by: expected rows with the field '%s', found none: mien label --keep copies it", r->report.by);
  r->report.is_time = cli_tally_is_time(by);
  if (r->report.is_time)
    r->report.unit = cli_tally_merge_time(by);
  else
    cli_tally_merge_groups(by, CLI_REPORT_GROUPS);
  return MIEN_OK;
}

static mien_status build(reporting *r, mien_error *error) {
  cli_findings *report = &r->report;
  report->results = &r->results;
  report->tally = &r->tally;
  report->measured = &r->measured;
  /* All scores have names by what was known alone. */
  if (!r->results.has_labels) r->tally.n_scored = 0;
  mien_status status = read_measured(r, error);
  if (status == MIEN_OK) status = list_labels(r, error);
  if (status == MIEN_OK) status = sort_by(r, error);
  if (status == MIEN_OK) list_pairs(report);
  return status;
}

/* ---- The run ----------------------------------------------------------------------------------------------------- */

static mien_status write_out(mien_output *output, const mien_buffer *bytes, mien_error *error) {
  mien_status status = mien_output_write(output, bytes->bytes, bytes->size, error);
  if (status == MIEN_OK) status = mien_output_close(output, error);
  return status == MIEN_OK ? mien_output_publish(output, error) : status;
}

static void tell(const reporting *r) {
  fprintf(stderr, "mien: %" PRIu64 " rows, %" PRIu64 " bad rows, %zu labels%s%s\n", r->tally.n_rows, r->tally.n_bad,
          r->report.n_labels, r->report.uncorrected ? "; counts are not corrected: " : "",
          r->report.uncorrected ? r->report.uncorrected : "");
}

static mien_status read_results(reporting *r, mien_error *error) {
  const cli_findings *report = &r->report;
  mien_status status = MIEN_OK;
  for (size_t i = 0; status == MIEN_OK && i < report->n_paths; i++) {
    if (r->output && mien_output_is_same_file(r->output, report->paths[i]))
      return mien_fail(error, MIEN_ARGUMENT, "%s: the output is an input", r->output);
    status = cli_results_read(&r->results, report->paths[i], error);
  }
  return status;
}

/* Outputs are opened first: what cannot be written is known before results are read. */
static mien_status run(reporting *r, mien_error *error) {
  mien_status status = MIEN_OK;
  if (r->has_output) status = mien_output_open(r->output, &cli_cancelled, &r->page_output, error);
  if (status == MIEN_OK && r->is_json) status = mien_output_open(NULL, &cli_cancelled, &r->json_output, error);
  if (status == MIEN_OK) status = read_results(r, error);
  if (status == MIEN_OK) status = build(r, error);
  if (status == MIEN_OK && r->has_output) status = cli_report_page(&r->report, &r->page, error);
  if (status == MIEN_OK && r->is_json) status = cli_report_json(&r->report, &r->text, error);
  if (status == MIEN_OK && r->has_output) status = write_out(r->page_output, &r->page, error);
  if (status == MIEN_OK && r->is_json) status = write_out(r->json_output, &r->text, error);
  if (status == MIEN_OK && !r->quiet) tell(r);
  return status;
}

static void destroy(reporting *r) {
  cli_model_free(&r->model);
  cli_results_free(&r->results);
  cli_tally_free(&r->tally);
  cli_measured_free(&r->measured);
  mien_free(r->report.labels);
  mien_output_destroy(r->page_output);
  mien_output_destroy(r->json_output);
  mien_buffer_free(&r->page);
  mien_buffer_free(&r->text);
}

/* ---- Options ----------------------------------------------------------------------------------------------------- */

static int set_once(const char **member, const char *name, const char *value) {
  if (*member) return cli_usage(command, "option '%s' is given twice", name);
  if (value[0] == '\0') return cli_usage(command, "option '%s': expected a name, found nothing", name);
  *member = value;
  return MIEN_OK;
}

static int set_format(cli_results *results, const char *value) {
  static const struct {
    const char *name;
    mien_output_format format;
  } formats[] = {
      {"jsonl", MIEN_OUTPUT_JSONL}, {"csv", MIEN_OUTPUT_CSV}, {"npy", MIEN_OUTPUT_NPY}, {"bits", MIEN_OUTPUT_BITS}};
  for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
    if (strcmp(value, formats[i].name) != 0) continue;
    results->format = formats[i].format;
    results->has_format = true;
    return MIEN_OK;
  }
  return cli_usage(command, "option '--input-format': expected jsonl, csv, npy or bits, found '%s'", value);
}

static int set_option(reporting *r, int opt, const char *value) {
  switch (opt) {
  case OUTPUT: r->has_output = true; return set_once(&r->output, "--output", value);
  case JSON: r->is_json = true; return MIEN_OK;
  case QUIET: r->quiet = true; return MIEN_OK;
  case BY: return set_once(&r->results.by, "--by", value);
  case TEXT_FIELD: return set_once(&r->results.text_field, "--text-field", value);
  case METRICS: return set_once(&r->metrics, "--metrics", value);
  case INPUT_FORMAT: return set_format(&r->results, value);
  default: return cli_model_option(&r->model, command, opt, value);
  }
}

static int check(reporting *r) {
  if (r->report.n_paths == 0) return cli_usage(command, "expected RESULTS: files or folders that mien label wrote");
  if (!r->has_output && !r->is_json) return cli_usage(command, "expected --output for the page, or --json");
  if (r->has_output && (strcmp(r->output, "-") == 0 || strcmp(r->output, "/dev/stdout") == 0)) r->output = NULL;
  if (r->has_output && !r->output && r->is_json)
    return cli_usage(command, "--json writes to stdout, where --output - wants the page");
  if (!r->results.text_field) r->results.text_field = "text";
  r->report.by = r->results.by;
  r->report.text_field = r->results.text_field;
  return MIEN_OK;
}

static int prepare(reporting *r) {
  mien_error error;
  r->results.take = take_row;
  r->results.user = r;
  mien_status status = cli_results_create(&r->results, &error);
  if (status == MIEN_OK) status = cli_tally_create(&r->tally, r->results.by != NULL, &error);
  return status == MIEN_OK ? read_model(r) : cli_report(command, &error);
}

int cli_report_results(int argc, char **argv) {
  reporting r = {0};
  mien_error error;
  int code = MIEN_OK;
  for (int opt; code == MIEN_OK && (opt = getopt_long(argc, argv, ":o:q", long_options, NULL)) != -1;) {
    if (opt == HELP) {
      destroy(&r);
      return help();
    }
    code = opt == '?' || opt == ':' ? cli_bad_option(command, opt, argv) : set_option(&r, opt, optarg);
  }
  if (code == MIEN_OK) {
    r.report.paths = (const char *const *)(argv + optind);
    r.report.n_paths = (size_t)(argc - optind);
    code = check(&r);
  }
  if (code == MIEN_OK) {
    cli_catch_signals();
    code = prepare(&r);
  }
  if (code == MIEN_OK && run(&r, &error) != MIEN_OK) code = cli_report(command, &error);
  destroy(&r);
  return code;
}
