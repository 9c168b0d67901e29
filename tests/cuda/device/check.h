/* SPDX-License-Identifier: Apache-2.0 */
/* What suites include for tests on a real device: the runner, and what the emulation would give them. */
#ifndef MIEN_TESTS_CUDA_DEVICE_CHECK_H
#define MIEN_TESTS_CUDA_DEVICE_CHECK_H

#include "../plain/check.h"
#include "stand_in.h"

#endif
