// SPDX-License-Identifier: Apache-2.0
// read_resources(): /proc/self and the allocator.
#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <memory>

#include "admin/totals.h"

// Weak: jemalloc is linked into the executable alone, and not under a sanitizer.
extern "C" int mallctl(const char* name, void* old_value, size_t* old_size, void* new_value,
                       size_t new_size) __attribute__((weak));

namespace weir::admin {
namespace {

uint64_t resident_bytes() {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen("/proc/self/statm", "re"),
                                                   std::fclose);
  unsigned long size = 0;
  unsigned long resident = 0;
  if (!file || std::fscanf(file.get(), "%lu %lu", &size, &resident) != 2) return 0;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

// Linux 6.2 and later say it as the directory's size. Before, entries are counted, which takes a
// microsecond each: beyond kMostCounted a scrape would hold up the control loop.
std::optional<uint64_t> open_descriptors() {
  constexpr uint64_t kMostCounted = 4096;
  struct stat info {};
  if (::stat("/proc/self/fd", &info) == 0 && info.st_size > 0) {
    return static_cast<uint64_t>(info.st_size);
  }
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir("/proc/self/fd"), closedir);
  if (!directory) return std::nullopt;
  uint64_t entries = 0;
  while (readdir(directory.get()) != nullptr) {
    if (++entries > kMostCounted) return std::nullopt;
  }
  // One is the directory that is being read, two are "." and "..".
  return entries > 3 ? entries - 3 : 0;
}

double cpu_seconds() {
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::optional<ResourceTotals::Allocator> allocator() {
  if (mallctl == nullptr) return std::nullopt;
  // The numbers are those of the last epoch: begin one.
  uint64_t epoch = 1;
  size_t size = sizeof epoch;
  if (mallctl("epoch", &epoch, &size, &epoch, size) != 0) return std::nullopt;
  const auto read = [](const char* name) {
    size_t value = 0;
    size_t length = sizeof value;
    return mallctl(name, &value, &length, nullptr, 0) == 0 ? uint64_t{value} : 0;
  };
  return ResourceTotals::Allocator{read("stats.allocated"), read("stats.active"),
                                   read("stats.resident"), read("stats.mapped")};
}

}  // namespace

ResourceTotals read_resources() {
  ResourceTotals out;
  out.resident_bytes = resident_bytes();
  out.open_descriptors = open_descriptors();
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) out.max_descriptors = limit.rlim_cur;
  out.cpu_seconds = cpu_seconds();
  out.allocator = allocator();
  return out;
}

}  // namespace weir::admin
