/* SPDX-License-Identifier: Apache-2.0 */
/* Logistic regressions in lockstep: every pass over the rows tries each column's next point. */
#include "train/logistic.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "train/cholesky.h"
#include "train/dot.h"
#include "train/logistic_pass.h"

enum {
  MEMORY = 12,            /* pairs of steps and changes of the gradient that a column remembers */
  MAX_ITERATIONS = 500,   /* of options */
  ROWS_PER_NUMBER = 12,   /* of the covariance: rows for each of a row's numbers */
  MOST_COVARIANCE = 2048, /* numbers of a row; for more the preconditioner is diagonal */
  CLASSES_PER_OCTAVE = 1, /* of scales that share a preconditioner */
  MOST_HALVINGS = 40,
};
/* Sufficient decrease, and what slope is flat enough behind it where float32 sums hide the decrease: by up to NOISE of
 * the objective (Hager and Zhang 2005, the approximate conditions of Wolfe). */
static const double SUFFICIENT = 1e-4, FLAT = 0.9, NOISE = 3e-7, TOLERANCE = 1e-10;

/* The preconditioner of columns of about the same scale c·κ·n. */
typedef struct preconditioner {
  int class;
  double *lower; /* [dim × dim] of scale·covariance + I */
} preconditioner;

typedef struct column {
  double scale;                                  /* c·κ·n */
  size_t preconditioner;                         /* in fit->preconditioners */
  double *point, *trial;                         /* [dim + 1] weights, and the bias of the row at the mean */
  double *shifted;                               /* [dim + 1] trial with the bias of the row at 0 */
  double *gradient, *trial_gradient, *direction; /* [dim + 1] */
  double *steps, *changes;                       /* [MEMORY][dim + 1] */
  double curvatures[MEMORY];                     /* 1 / (step · change) */
  double step_scale;                             /* γ of the newest pair */
  size_t n_pairs, next_pair;
  double objective, slope, length; /* of the point, along the direction; the trial's part of the direction */
  double trial_loss;
  unsigned halvings;
  bool has_point, is_done;
} column;

typedef struct fit {
  const mien_logistic_rows *rows;
  const mien_logistic_column *columns;
  const mien_logistic_options *options;
  size_t n_columns, dim;
  mien_pool *pool;
  double *covariance, *means;
  preconditioner *preconditioners;
  size_t n_preconditioners;
  column *all;
  mien_logistic_fitted *fitted;
  size_t *active; /* [n_active] columns that the pass is of */
  size_t n_active;
  mien_error *error;
} fit;

/* ---- Preconditioners --------------------------------------------------------------------------------------------- */

/* x becomes (scale·covariance + I)⁻¹·x, and the bias' part x / scale, as rows less their means have no part in it. */
static void precondition(const fit *f, const column *c, double *x) {
  const preconditioner *p = &f->preconditioners[c->preconditioner];
  const double scale = exp2((double)p->class / CLASSES_PER_OCTAVE);
  if (p->lower)
    mien_cholesky_solve(p->lower, f->dim, x);
  else
    for (size_t k = 0; k < f->dim; k++) x[k] /= scale * f->covariance[k] + 1;
  x[f->dim] /= scale;
}

/* scale·covariance + ridge·I, the lower triangle. */
static void set_hessian(const fit *f, double scale, double ridge, double *lower) {
  const size_t dim = f->dim;
  for (size_t i = 0; i < dim; i++) {
    for (size_t k = 0; k <= i; k++) lower[i * dim + k] = scale * f->covariance[i * dim + k];
    lower[i * dim + i] += ridge;
  }
}

static mien_status make_preconditioner(fit *f, int class, preconditioner *p) {
  static const double more_ridge = 64;
  const size_t dim = f->dim;
  const double scale = exp2((double)class / CLASSES_PER_OCTAVE);
  p->class = class;
  if (dim > MOST_COVARIANCE) return MIEN_OK;
  p->lower = mien_alloc(dim, dim * sizeof(double));
  if (!p->lower) return mien_fail_memory(f->error, "training", dim * dim * sizeof(double));
  /* Of rows that depend on each other a large scale makes more than I of the covariance's rounding. */
  for (double ridge = 1; isfinite(ridge); ridge *= more_ridge) {
    set_hessian(f, scale, ridge, p->lower);
    if (mien_cholesky(p->lower, dim)) return MIEN_OK;
  }
  return mien_fail(f->error, MIEN_INTERNAL, "training: a covariance is not one");
}

static mien_status choose_preconditioner(fit *f, column *c) {
  const int class = (int)lrint(log2(c->scale) * CLASSES_PER_OCTAVE);
  size_t i = 0;
  while (i < f->n_preconditioners && f->preconditioners[i].class != class) i++;
  c->preconditioner = i;
  if (i < f->n_preconditioners) return MIEN_OK;
  f->n_preconditioners++;
  return make_preconditioner(f, class, &f->preconditioners[i]);
}

/* Products of rows and sums of them are float32. */
static mien_status fail_size(const fit *f) {
  return mien_fail(f->error, MIEN_INPUT,
                   "training: the rows' numbers are too large: sums of their products are no "
                   "float32");
}

/* The variances of a row's numbers, where they are too many for their covariance. */
static mien_status set_variances(fit *f) {
  const mien_logistic_rows *rows = f->rows;
  double total = 0;
  memset(f->means, 0, f->dim * sizeof(double));
  memset(f->covariance, 0, f->dim * sizeof(double));
  for (size_t row = 0; row < rows->n; row++) {
    const double weight = rows->weights ? (double)rows->weights[row] : 1;
    total += weight;
    for (size_t k = 0; k < f->dim; k++) {
      const double x = (double)rows->x[row * f->dim + k];
      f->means[k] += weight * x;
      f->covariance[k] += weight * x * x;
    }
  }
  for (size_t k = 0; total > 0 && k < f->dim; k++) {
    f->means[k] /= total;
    f->covariance[k] = fmax(0, f->covariance[k] / total - f->means[k] * f->means[k]);
  }
  return MIEN_OK;
}

static mien_status find_covariance(fit *f) {
  const bool is_full = f->dim <= MOST_COVARIANCE;
  f->covariance = mien_alloc(f->dim, (is_full ? f->dim : 1) * sizeof(double));
  f->means = mien_alloc(f->dim, sizeof(double));
  if (!f->covariance || !f->means) return mien_fail_memory(f->error, "training", f->dim * sizeof(double));
  mien_status status =
      is_full ? mien_logistic_covariance(f->rows, ROWS_PER_NUMBER * f->dim, f->pool, f->covariance, f->means, f->error)
              : set_variances(f);
  for (size_t i = 0; status == MIEN_OK && i < f->dim * (is_full ? f->dim : 1); i++)
    if (!isfinite(f->covariance[i])) status = fail_size(f);
  return status;
}

/* ---- Columns ----------------------------------------------------------------------------------------------------- */

/* Masses of a column's two classes, weights of rows and classes counted in. */
static void class_masses(const fit *f, const mien_logistic_column *given, double *positive, double *negative,
                         double *rows) {
  *positive = *negative = *rows = 0;
  for (size_t row = 0; row < f->rows->n; row++) {
    const double weight = f->rows->weights ? (double)f->rows->weights[row] : 1;
    const double y = (double)f->rows->targets[row * f->rows->n_labels + given->label];
    *positive += weight * given->positive * y;
    *negative += weight * given->negative * (1 - y);
    *rows += weight;
  }
}

static bool allocate_column(column *c, size_t dim) {
  double **const one[] = {&c->point, &c->trial, &c->shifted, &c->gradient, &c->trial_gradient, &c->direction};
  bool done = true;
  for (size_t i = 0; i < sizeof one / sizeof *one; i++) {
    *one[i] = mien_alloc(dim + 1, sizeof(double));
    done = done && *one[i];
  }
  c->steps = mien_alloc(dim + 1, MEMORY * sizeof(double));
  c->changes = mien_alloc(dim + 1, MEMORY * sizeof(double));
  return done && c->steps && c->changes;
}

/* Starts from the bias alone; one class alone has no optimum and is done. */
static mien_status start_column(fit *f, size_t j) {
  column *c = &f->all[j];
  const mien_logistic_column *given = &f->columns[j];
  double positive, negative, rows;
  class_masses(f, given, &positive, &negative, &rows);
  if (!allocate_column(c, f->dim)) return mien_fail_memory(f->error, "training", f->dim * sizeof(double));
  if (!(positive > 0) || !(negative > 0)) {
    const double share = ((positive > 0 ? rows : 0) + 1) / (rows + 2);
    f->fitted[j] = (mien_logistic_fitted){.is_constant = true, .has_converged = true};
    c->point[f->dim] = log(share / (1 - share));
    c->is_done = true;
    return MIEN_OK;
  }
  const double share = positive / (positive + negative);
  c->trial[f->dim] = log(share / (1 - share));
  c->scale = given->c * share * (1 - share) * (positive + negative);
  return choose_preconditioner(f, c);
}

static void free_column(const column *c) {
  double *const all[] = {c->point,          c->trial,     c->shifted, c->gradient,
                         c->trial_gradient, c->direction, c->steps,   c->changes};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) mien_free(all[i]);
}

/* ---- A column's iteration ---------------------------------------------------------------------------------------- */

/* The direction from the point: -H·gradient, by the pairs that are remembered (two loops). */
static void find_direction(const fit *f, column *c) {
  const size_t n = f->dim + 1;
  double factors[MEMORY], *d = c->direction;
  memcpy(d, c->gradient, n * sizeof(double));
  for (size_t i = 0; i < c->n_pairs; i++) {
    const size_t pair = (c->next_pair + MEMORY - 1 - i) % MEMORY;
    factors[pair] = c->curvatures[pair] * mien_dot(c->steps + pair * n, d, n);
    for (size_t k = 0; k < n; k++) d[k] -= factors[pair] * c->changes[pair * n + k];
  }
  precondition(f, c, d);
  for (size_t k = 0; k < n; k++) d[k] *= c->step_scale;
  for (size_t i = c->n_pairs; i-- > 0;) {
    const size_t pair = (c->next_pair + MEMORY - 1 - i) % MEMORY;
    const double factor = factors[pair] - c->curvatures[pair] * mien_dot(c->changes + pair * n, d, n);
    for (size_t k = 0; k < n; k++) d[k] += factor * c->steps[pair * n + k];
  }
  for (size_t k = 0; k < n; k++) d[k] = -d[k];
  c->slope = mien_dot(c->gradient, d, n);
}

/* Remembers the step from the point to the trial, and how H₀ would have to be scaled to fit it. */
static void remember(const fit *f, column *c) {
  const size_t n = f->dim + 1;
  double *step = c->steps + c->next_pair * n, *change = c->changes + c->next_pair * n, *h = c->direction;
  for (size_t k = 0; k < n; k++) {
    step[k] = c->trial[k] - c->point[k];
    change[k] = c->trial_gradient[k] - c->gradient[k];
  }
  const double product = mien_dot(step, change, n);
  if (!(product > 1e-14 * sqrt(mien_dot(step, step, n) * mien_dot(change, change, n)))) return; /* noise */
  memcpy(h, change, n * sizeof(double));
  precondition(f, c, h);
  c->step_scale = product / mien_dot(change, h, n);
  c->curvatures[c->next_pair] = 1 / product;
  c->next_pair = (c->next_pair + 1) % MEMORY;
  if (c->n_pairs < MEMORY) c->n_pairs++;
}

static void set_trial(const fit *f, column *c) {
  for (size_t k = 0; k <= f->dim; k++) c->trial[k] = c->point[k] + c->length * c->direction[k];
}

static void finish(fit *f, size_t j, bool has_converged) {
  f->all[j].is_done = true;
  f->fitted[j].has_converged = has_converged;
}

/* The point is where the trial was; the next direction, or the end. */
static void accept(fit *f, size_t j, double objective) {
  column *c = &f->all[j];
  const size_t bytes = (f->dim + 1) * sizeof(double);
  const double tolerance = f->options->tolerance > 0 ? f->options->tolerance : TOLERANCE;
  if (c->has_point) remember(f, c);
  memcpy(c->point, c->trial, bytes);
  memcpy(c->gradient, c->trial_gradient, bytes);
  c->objective = f->fitted[j].objective = objective;
  c->has_point = true;
  c->halvings = 0;
  find_direction(f, c);
  /* -slope / 2 is what a quadratic would still fall by. */
  if (-c->slope <= 2 * tolerance * objective) {
    finish(f, j, true);
    return;
  }
  c->length = 1;
  set_trial(f, c);
}

/* The trial was too far: the minimum of the parabola through what is known, between a tenth and a half; where the
 * objectives are noise, where the slope is zero by those at both ends. */
static void shorten(fit *f, size_t j, double objective, double slope) {
  column *c = &f->all[j];
  if (c->halvings++ == MOST_HALVINGS) {
    finish(f, j, false);
    return;
  }
  const double rise = objective - c->objective - c->slope * c->length;
  double length = 0;
  if (fabs(objective - c->objective) <= NOISE * c->objective)
    length = slope > 0 ? c->length * c->slope / (c->slope - slope) : 0;
  else if (rise > 0 && isfinite(rise))
    length = -c->slope * c->length * c->length / (2 * rise);
  c->length = fmin(fmax(length, c->length / 10), c->length / 2);
  set_trial(f, c);
}

/* After a pass: its loss and gradient, of the shifted bias, complete the column's objective. */
static void advance(fit *f, size_t j) {
  column *c = &f->all[j];
  const double strength = f->columns[j].c, *w = c->trial;
  const double residuals = c->trial_gradient[f->dim];
  const double objective = strength * c->trial_loss + mien_dot(w, w, f->dim) / 2;
  for (size_t k = 0; k < f->dim; k++)
    c->trial_gradient[k] = strength * (c->trial_gradient[k] - f->means[k] * residuals) + w[k];
  c->trial_gradient[f->dim] = strength * residuals;
  f->fitted[j].iterations++;
  const double slope = mien_dot(c->trial_gradient, c->direction, f->dim + 1);
  if (!c->has_point || objective <= c->objective + SUFFICIENT * c->length * c->slope ||
      (objective <= c->objective + NOISE * c->objective && fabs(slope) <= FLAT * fabs(c->slope)))
    accept(f, j, objective);
  else
    shorten(f, j, objective, slope);
}

static void shift_bias(const fit *f, column *c) {
  memcpy(c->shifted, c->trial, f->dim * sizeof(double));
  c->shifted[f->dim] = c->trial[f->dim] - mien_dot(c->trial, f->means, f->dim);
}

/* Every thread has columns of its own, which do not meet. */
static void advance_some(void *user, unsigned worker) {
  fit *f = user;
  for (size_t i = worker; i < f->n_active; i += mien_pool_threads(f->pool)) {
    column *c = &f->all[f->active[i]];
    if (c->is_done) continue;
    advance(f, f->active[i]);
    if (!c->is_done) shift_bias(f, c);
  }
}

/* ---- All columns ------------------------------------------------------------------------------------------------- */

static mien_status report(const fit *f, unsigned iteration, size_t n_left) {
  if (f->options->progress) {
    mien_logistic_step step = {.iteration = iteration, .n_active = n_left};
    for (size_t j = 0; j < f->n_columns; j++) step.objective += f->fitted[j].objective;
    f->options->progress(f->options->progress_user, &step);
  }
  if (f->options->cancel && atomic_load(f->options->cancel))
    return mien_fail(f->error, MIEN_CANCELLED, "training was interrupted");
  return MIEN_OK;
}

static size_t count_left(const fit *f) {
  size_t n = 0;
  for (size_t i = 0; i < f->n_active; i++) n += !f->all[f->active[i]].is_done;
  return n;
}

/* A step that is too far may have none, the points that steps lead from always have. */
static bool has_objectives(const fit *f) {
  bool all = true;
  for (size_t j = 0; j < f->n_columns; j++) all = all && isfinite(f->fitted[j].objective);
  return all;
}

/* Passes over the active columns until so few are left that fewer panels would do, or none. */
static mien_status run_stage(fit *f, mien_logistic_pass *pass, unsigned most, unsigned *iteration) {
  const size_t panels = (f->n_active + 15) / 16;
  double *losses = mien_alloc(f->n_active, sizeof(double));
  double **points = mien_alloc(f->n_active, sizeof(double *)), **gradients = mien_alloc(f->n_active, sizeof(double *));
  mien_status status = losses && points && gradients ? MIEN_OK : mien_fail_memory(f->error, "training", f->n_active);
  for (size_t i = 0; status == MIEN_OK && i < f->n_active; i++) {
    points[i] = f->all[f->active[i]].shifted;
    gradients[i] = f->all[f->active[i]].trial_gradient;
  }
  for (size_t left = f->n_active; status == MIEN_OK && left > 0 && (left + 15) / 16 == panels && *iteration < most;) {
    mien_logistic_pass_run(pass, (const double *const *)points, losses, gradients);
    for (size_t i = 0; i < f->n_active; i++) f->all[f->active[i]].trial_loss = losses[i];
    mien_pool_run(f->pool, advance_some, f);
    left = count_left(f);
    status = has_objectives(f) ? report(f, ++*iteration, left) : fail_size(f);
  }
  mien_free(losses);
  mien_free(points);
  mien_free(gradients);
  return status;
}

static mien_status run_all(fit *f) {
  const unsigned most = f->options->max_iterations ? f->options->max_iterations : MAX_ITERATIONS;
  unsigned iteration = 0;
  mien_status status = MIEN_OK;
  while (status == MIEN_OK && iteration < most) {
    f->n_active = 0;
    for (size_t j = 0; j < f->n_columns; j++)
      if (!f->all[j].is_done) f->active[f->n_active++] = j;
    if (f->n_active == 0) break;
    for (size_t i = 0; i < f->n_active; i++) shift_bias(f, &f->all[f->active[i]]);
    mien_logistic_pass *pass = NULL;
    status = mien_logistic_pass_create(f->rows, f->columns, f->active, f->n_active, f->pool, &pass, f->error);
    if (status == MIEN_OK) status = run_stage(f, pass, most, &iteration);
    mien_logistic_pass_destroy(pass);
  }
  return status;
}

static void write_results(const fit *f, float *weights, float *biases) {
  for (size_t j = 0; j < f->n_columns; j++) {
    const double *point = f->all[j].point;
    double bias = point[f->dim];
    if (!f->fitted[j].is_constant) bias -= mien_dot(point, f->means, f->dim);
    for (size_t k = 0; k < f->dim; k++) weights[j * f->dim + k] = (float)point[k];
    biases[j] = (float)bias;
  }
}

mien_status mien_logistic_fit(const mien_logistic_rows *rows, const mien_logistic_column *columns, size_t n_columns,
                              const mien_logistic_options *options, float *weights, float *biases,
                              mien_logistic_fitted *fitted, mien_error *error) {
  fit f = {.rows = rows,
           .columns = columns,
           .options = options,
           .n_columns = n_columns,
           .dim = rows->dim,
           .fitted = fitted,
           .error = error};
  memset(fitted, 0, n_columns * sizeof *fitted);
  f.all = mien_alloc(n_columns, sizeof *f.all);
  f.active = mien_alloc(n_columns, sizeof *f.active);
  f.preconditioners = mien_alloc(n_columns, sizeof *f.preconditioners);
  mien_status status = f.all && f.active && f.preconditioners
                           ? mien_pool_create(options->threads, &f.pool, error)
                           : mien_fail_memory(error, "training", n_columns * sizeof *f.all);
  if (status == MIEN_OK) status = find_covariance(&f);
  for (size_t j = 0; status == MIEN_OK && j < n_columns; j++) {
    f.all[j].step_scale = 1;
    status = start_column(&f, j);
  }
  if (status == MIEN_OK) status = run_all(&f);
  if (status == MIEN_OK) write_results(&f, weights, biases);
  for (size_t j = 0; f.all && j < n_columns; j++) free_column(&f.all[j]);
  for (size_t i = 0; i < f.n_preconditioners; i++) mien_free(f.preconditioners[i].lower);
  mien_free(f.all);
  mien_free(f.active);
  mien_free(f.preconditioners);
  mien_free(f.covariance);
  mien_free(f.means);
  mien_pool_destroy(f.pool);
  return status;
}
