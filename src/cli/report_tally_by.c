/* SPDX-License-Identifier: Apache-2.0 */
/* Counting results by a field: by values, of which the first that are met are told apart, and by time, in bins that
 * become wider as they become more. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/report_tally.h"

enum { M = CLI_MOST_RESULT_LABELS };

#define DAY_SECONDS INT64_C(86400)

/* Of the dates that are read: those of which a few have a meaning in data. */
enum { FIRST_YEAR = 1000, LAST_YEAR = 2999 };

/* Bins of years, the widest, have all their room: with time zones it is a year more at either end. */
_Static_assert(LAST_YEAR - FIRST_YEAR + 3 < CLI_MOST_BINS, "bins that can not become wider would not become fewer");

/* ---- Time -------------------------------------------------------------------------------------------------------- */

static int64_t floor_to(int64_t value, int64_t step) { return value - ((value % step) + step) % step; }

/* Days since 1970 of a date of the Gregorian calendar (Hinnant: chrono-Compatible Low-Level Date Algorithms). */
static int64_t days_of(int64_t year, int64_t month, int64_t day) {
  year -= month <= 2;
  const int64_t era = floor_to(year, 400) / 400, of_era = year - era * 400;
  const int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_of(int64_t days, int64_t *year, int64_t *month, int64_t *day) {
  days += 719468;
  const int64_t era = floor_to(days, 146097) / 146097, of_era = days - era * 146097;
  const int64_t years = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  const int64_t of_year = of_era - (365 * years + years / 4 - years / 100), m = (5 * of_year + 2) / 153;
  *day = of_year - (153 * m + 2) / 5 + 1;
  *month = m + (m < 10 ? 3 : -9);
  *year = years + era * 400 + (*month <= 2);
}

int64_t cli_time_start(cli_time_unit unit, int64_t seconds) {
  int64_t year, month, day;
  const int64_t days = floor_to(seconds, DAY_SECONDS) / DAY_SECONDS;
  date_of(days, &year, &month, &day);
  switch (unit) {
  case CLI_HOUR: return floor_to(seconds, 3600);
  case CLI_DAY: return days * DAY_SECONDS;
  case CLI_WEEK: return (floor_to(days + 3, 7) - 3) * DAY_SECONDS; /* from Monday: 1970 began on a Thursday */
  case CLI_MONTH: return days_of(year, month, 1) * DAY_SECONDS;
  default: return days_of(year, 1, 1) * DAY_SECONDS;
  }
}

int64_t cli_time_next(cli_time_unit unit, int64_t start) {
  static const int64_t longest[] = {3600, DAY_SECONDS, 7 * DAY_SECONDS, 31 * DAY_SECONDS, 366 * DAY_SECONDS};
  return cli_time_start(unit, start + longest[unit]);
}

void cli_time_show(cli_time_unit unit, int64_t start, char out[CLI_TIME_CHARS]) {
  int64_t year, month, day;
  date_of(floor_to(start, DAY_SECONDS) / DAY_SECONDS, &year, &month, &day);
  int length = snprintf(out, CLI_TIME_CHARS, "%04d", (int)year);
  if (unit < CLI_YEAR) length += snprintf(out + length, CLI_TIME_CHARS - (size_t)length, "-%02d", (int)month);
  if (unit < CLI_MONTH) length += snprintf(out + length, CLI_TIME_CHARS - (size_t)length, "-%02d", (int)day);
  if (unit == CLI_HOUR)
    snprintf(out + length, CLI_TIME_CHARS - (size_t)length, " %02d:00",
             (int)(floor_to(start, 3600) - floor_to(start, DAY_SECONDS)) / 3600);
}

const char *cli_time_unit_name(cli_time_unit unit) {
  static const char *const names[] = {"hour", "day", "week", "month", "year"};
  return names[unit];
}

/* `n` digits; false where others are. */
static bool take_digits(const char **at, const char *end, int n, int64_t *number) {
  *number = 0;
  if (end - *at < n) return false;
  for (int i = 0; i < n; i++, ++*at) {
    if (**at < '0' || **at > '9') return false;
    *number = *number * 10 + (**at - '0');
  }
  return true;
}

static bool take(const char **at, const char *end, char wanted) {
  if (*at == end || **at != wanted) return false;
  ++*at;
  return true;
}

/* Z, +02:00, +0200 or nothing. */
static bool take_zone(const char **at, const char *end, int64_t *seconds) {
  int64_t hours, minutes;
  *seconds = 0;
  if (*at == end || take(at, end, 'Z') || take(at, end, 'z')) return true;
  const bool is_west = **at == '-';
  if (!take(at, end, '+') && !take(at, end, '-')) return false;
  if (!take_digits(at, end, 2, &hours)) return false;
  (void)take(at, end, ':');
  if (*at == end)
    minutes = 0;
  else if (!take_digits(at, end, 2, &minutes))
    return false;
  if (hours > 23 || minutes > 59) return false;
  *seconds = (hours * 3600 + minutes * 60) * (is_west ? -1 : 1);
  return true;
}

static bool take_time_of_day(const char **at, const char *end, int64_t *seconds) {
  int64_t hour, minute, second = 0, zone;
  if (!take_digits(at, end, 2, &hour) || !take(at, end, ':') || !take_digits(at, end, 2, &minute)) return false;
  if (take(at, end, ':')) {
    if (!take_digits(at, end, 2, &second)) return false;
    if (take(at, end, '.') || take(at, end, ','))
      while (*at < end && **at >= '0' && **at <= '9') ++*at;
  }
  if (hour > 23 || minute > 59 || second > 60 || !take_zone(at, end, &zone)) return false;
  *seconds = hour * 3600 + minute * 60 + second - zone;
  return true;
}

/* YYYY-MM-DD, and perhaps a time of day. */
static bool parse_date(const char *at, const char *end, int64_t *seconds) {
  int64_t year, month, day, of_day = 0;
  if (!take_digits(&at, end, 4, &year) || !take(&at, end, '-') || !take_digits(&at, end, 2, &month) ||
      !take(&at, end, '-') || !take_digits(&at, end, 2, &day))
    return false;
  if (year < FIRST_YEAR || year > LAST_YEAR || month < 1 || month > 12 || day < 1) return false;
  const int64_t days = days_of(year, month, day);
  int64_t same_year, same_month, same_day;
  date_of(days, &same_year, &same_month, &same_day);
  if (same_day != day) return false; /* February 30 */
  if (at < end && (take(&at, end, 'T') || take(&at, end, 't') || take(&at, end, ' ')))
    if (!take_time_of_day(&at, end, &of_day)) return false;
  *seconds = days * DAY_SECONDS + of_day;
  return at == end;
}

/* From 1973 to 2103: a number below that is rather a count. */
static bool parse_epoch(const char *at, const char *end, int64_t *seconds) {
  int64_t number = 0;
  const int64_t least = 100000000, most = 4200000000;
  const char *const start = at;
  for (; at < end && *at >= '0' && *at <= '9' && at - start < 17; at++) number = number * 10 + (*at - '0');
  if (at < end && *at == '.') /* seconds may have a fraction */
    for (at++; at < end && *at >= '0' && *at <= '9';) at++;
  if (at != end) return false;
  for (int i = 0; i < 3; i++, number /= 1000)
    if (number >= least && number <= most) {
      *seconds = number;
      return true;
    }
  return false;
}

bool cli_time_parse(const char *text, size_t bytes, int64_t *seconds) {
  return parse_date(text, text + bytes, seconds) || parse_epoch(text, text + bytes, seconds);
}

/* ---- Bins of time ------------------------------------------------------------------------------------------------ */

static void add_counts(cli_group *to, const cli_group *from) {
  to->n_rows += from->n_rows;
  for (size_t l = 0; l < M; l++) to->counts[l] += from->counts[l];
}

/* Those of one span become one; their counts are swapped to the bins behind, which are empty then. */
static void merge_bins(cli_tally_by *by, cli_time_unit unit) {
  size_t n = 0;
  for (size_t i = 0; i < by->n_bins; i++) {
    cli_group *bin = &by->bins[i];
    const int64_t start = cli_time_start(unit, bin->start);
    if (n > 0 && by->bins[n - 1].start == start) {
      add_counts(&by->bins[n - 1], bin);
      memset(bin->counts, 0, M * sizeof *bin->counts);
      bin->n_rows = 0;
      continue;
    }
    const cli_group moved = *bin;
    *bin = by->bins[n];
    by->bins[n] = moved;
    by->bins[n++].start = start;
  }
  by->n_bins = n;
  by->unit = unit;
}

/* Where a bin that starts then is, or is to be. */
static size_t find_bin(const cli_tally_by *by, int64_t start) {
  size_t low = 0, high = by->n_bins;
  if (high > 0 && by->bins[high - 1].start < start) return high;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (by->bins[middle].start < start)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static cli_group *bin_at(cli_tally_by *by, int64_t seconds) {
  int64_t start = cli_time_start(by->unit, seconds);
  size_t place = find_bin(by, start);
  if (place < by->n_bins && by->bins[place].start == start) return &by->bins[place];
  while (by->n_bins == CLI_MOST_BINS) {
    merge_bins(by, by->unit == CLI_HOUR ? CLI_DAY : by->unit == CLI_DAY ? CLI_MONTH : CLI_YEAR);
    start = cli_time_start(by->unit, seconds);
    place = find_bin(by, start);
    if (place < by->n_bins && by->bins[place].start == start) return &by->bins[place];
  }
  cli_group fresh = by->bins[by->n_bins];
  memmove(by->bins + place + 1, by->bins + place, (by->n_bins++ - place) * sizeof *by->bins);
  fresh.start = start;
  by->bins[place] = fresh;
  return &by->bins[place];
}

bool cli_tally_is_time(const cli_tally_by *by) {
  return by->n_times > 0 && (double)by->n_times >= 0.99 * (double)by->n_values;
}

static size_t count_spans(const cli_tally_by *by, cli_time_unit unit) {
  const int64_t first = cli_time_start(unit, by->bins[0].start), last = by->bins[by->n_bins - 1].start;
  size_t n = 0;
  for (int64_t at = first; at <= last && n <= CLI_MOST_POINTS; at = cli_time_next(unit, at)) n++;
  return n;
}

cli_time_unit cli_tally_merge_time(cli_tally_by *by) {
  cli_time_unit unit = by->unit;
  bool are_days = unit == CLI_HOUR;
  for (size_t i = 0; are_days && i < by->n_bins; i++) are_days = by->bins[i].start % DAY_SECONDS == 0;
  if (are_days) unit = CLI_DAY;
  while (unit < CLI_YEAR && count_spans(by, unit) > CLI_MOST_POINTS) unit++;
  merge_bins(by, unit);
  return unit;
}

/* ---- Values ------------------------------------------------------------------------------------------------------ */

static mien_status group_of(cli_tally_by *by, mien_span value, cli_group **group, mien_error *error) {
  const size_t bytes = value.size < CLI_VALUE_BYTES ? value.size : CLI_VALUE_BYTES;
  const json_t *found = json_object_getn(by->places, value.bytes, bytes);
  *group = found ? &by->groups[json_integer_value(found)] : &by->other;
  if (found || by->n_groups == CLI_MOST_GROUPS) return MIEN_OK;
  *group = &by->groups[by->n_groups];
  (*group)->name = mien_copy_text(value.bytes, bytes);
  (*group)->bytes = bytes;
  if (!(*group)->name ||
      json_object_setn_new_nocheck(by->places, value.bytes, bytes, json_integer((json_int_t)by->n_groups)) != 0)
    return mien_fail_memory(error, "values of a field", bytes);
  by->n_groups++;
  return MIEN_OK;
}

static int by_rows(const void *a, const void *b) {
  const cli_group *left = a, *right = b;
  if (left->n_rows != right->n_rows) return left->n_rows > right->n_rows ? -1 : 1;
  const size_t least = left->bytes < right->bytes ? left->bytes : right->bytes;
  const int order = memcmp(left->name, right->name, least);
  return order ? order : (left->bytes > right->bytes) - (left->bytes < right->bytes);
}

void cli_tally_merge_groups(cli_tally_by *by, size_t most) {
  qsort(by->groups, by->n_groups, sizeof *by->groups, by_rows);
  for (; by->n_groups > most; by->n_groups--) {
    cli_group *last = &by->groups[by->n_groups - 1];
    add_counts(&by->other, last);
    mien_free(last->name);
    last->name = NULL;
  }
}

/* ---- Rows -------------------------------------------------------------------------------------------------------- */

mien_status cli_tally_by_create(cli_tally_by *by, mien_error *error) {
  const size_t n = CLI_MOST_GROUPS + 1 + CLI_MOST_BINS;
  *by = (cli_tally_by){.unit = CLI_HOUR};
  by->groups = mien_alloc(CLI_MOST_GROUPS, sizeof *by->groups);
  by->bins = mien_alloc(CLI_MOST_BINS, sizeof *by->bins);
  by->counts = mien_alloc(n * M, sizeof *by->counts);
  by->places = json_object();
  if (!by->groups || !by->bins || !by->counts || !by->places)
    return mien_fail_memory(error, "report", n * M * sizeof *by->counts);
  for (size_t i = 0; i < CLI_MOST_GROUPS; i++) by->groups[i].counts = by->counts + i * M;
  by->other.counts = by->counts + (size_t)CLI_MOST_GROUPS * M;
  for (size_t i = 0; i < CLI_MOST_BINS; i++) by->bins[i].counts = by->other.counts + (i + 1) * M;
  return MIEN_OK;
}

void cli_tally_by_free(cli_tally_by *by) {
  for (size_t i = 0; by->groups && i < by->n_groups; i++) mien_free(by->groups[i].name);
  mien_free(by->groups);
  mien_free(by->bins);
  mien_free(by->counts);
  json_decref(by->places);
  *by = (cli_tally_by){0};
}

static void count_row(cli_group *group, const cli_result *result) {
  group->n_rows++;
  for (size_t i = 0; i < result->n_given; i++) group->counts[result->given[i]]++;
}

mien_status cli_tally_by_add(cli_tally_by *by, const cli_result *result, mien_error *error) {
  int64_t seconds;
  cli_group *group = NULL;
  if (!result->by.bytes) return MIEN_OK;
  by->n_values++;
  if (cli_time_parse(result->by.bytes, result->by.size, &seconds)) {
    by->n_times++;
    count_row(bin_at(by, seconds), result);
  }
  mien_status status = group_of(by, result->by, &group, error);
  if (status == MIEN_OK) count_row(group, result);
  return status;
}
