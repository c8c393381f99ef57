// SPDX-License-Identifier: Apache-2.0
#include "app/descriptors.h"

#include <sys/resource.h>

#include <algorithm>

namespace weir::app {
namespace {

// Listening sockets, epoll sets, event descriptors, logs, the admin socket and its clients.
constexpr uint64_t kReserve = 128;
constexpr uint64_t kLeast = 16;

}  // namespace

uint64_t raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return before;
  return limit.rlim_cur;
}

uint32_t automatic_max_connections(uint64_t descriptor_limit, uint32_t listeners) {
  const uint64_t usable = descriptor_limit > kReserve ? (descriptor_limit - kReserve) / 2 : 0;
  const uint64_t each = usable / std::max(listeners, 1U);
  return static_cast<uint32_t>(std::clamp<uint64_t>(each, kLeast, UINT32_MAX));
}

}  // namespace weir::app
