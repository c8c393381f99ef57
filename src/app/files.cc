// SPDX-License-Identifier: Apache-2.0
#include "app/files.h"

#include <fcntl.h>
#include <unistd.h>

namespace weir::app {

std::optional<std::string> read_small_file(const std::string& path) {
  constexpr size_t kMost = 1 << 20;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  std::string out;
  char buffer[4096];
  ssize_t n = 0;
  while (out.size() < kMost && (n = ::read(fd, buffer, sizeof buffer)) > 0) {
    out.append(buffer, static_cast<size_t>(n));
  }
  ::close(fd);
  if (n < 0) return std::nullopt;
  return out;
}

}  // namespace weir::app
