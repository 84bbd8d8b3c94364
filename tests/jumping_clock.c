/* A wall clock that jumps every four seconds, in every process that preloads this: see tests/everywhere.py.
   Clocks that only run forward are left alone, as when a machine's clock is set. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>

static const long JUMPS[] = {-3600, 0, 5400, -180, 0, 1200}; /* seconds */

static int real(clockid_t id, struct timespec *at) {
  static int (*next)(clockid_t, struct timespec *);
  if (!next) next = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  return next(id, at);
}

int clock_gettime(clockid_t id, struct timespec *at) {
  int failed = real(id, at);
  if (!failed && id == CLOCK_REALTIME) {
    struct timespec forward;
    real(CLOCK_MONOTONIC, &forward);
    at->tv_sec += JUMPS[forward.tv_sec / 4 % (sizeof JUMPS / sizeof *JUMPS)];
  }
  return failed;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
  (void)zone;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  at->tv_sec = now.tv_sec;
  at->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *at) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (at) *at = now.tv_sec;
  return now.tv_sec;
}
