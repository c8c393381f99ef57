// SPDX-License-Identifier: Apache-2.0
#include "config/file.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>

#include "config/document.h"

namespace weir::config {

std::expected<std::string, std::string> read_whole_file(const std::string& path) {
  const auto reason = [] { return std::generic_category().message(errno); };
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"),
                                                             std::fclose);
  if (!file) return std::unexpected(reason());
  const std::size_t limit = DocumentLimits{}.max_bytes + 1;
  std::string content;
  std::array<char, 65536> chunk;
  while (content.size() < limit) {
    const std::size_t n = std::fread(chunk.data(), 1, chunk.size(), file.get());
    content.append(chunk.data(), n);
    if (n == chunk.size()) continue;
    if (std::ferror(file.get()) != 0) return std::unexpected(reason());
    break;
  }
  return content;
}

std::string beside(const std::string& main_file, const std::string& path) {
  const std::size_t slash = main_file.rfind('/');
  if (path.starts_with('/') || slash == std::string::npos) return path;
  return main_file.substr(0, slash + 1) + path;
}

}  // namespace weir::config
