// SPDX-License-Identifier: Apache-2.0
// Keys of memory: what the process may hold.
#include "config/keys.h"
#include "config/scalars.h"

namespace weir::config {
namespace {

// A handful of requests with their buffers; below that weir would refuse everything.
constexpr std::uint64_t kSmallestBudget = 1024 * 1024;

ScalarPtr<std::optional<std::uint64_t>> budget() {
  using Budget = std::optional<std::uint64_t>;
  const auto inner = size(Zero::kRefused, kSmallestBudget);
  ScalarSpec<Budget> spec;
  spec.type = {"size or `auto`", inner->spec().type.unit};
  spec.parse = [inner](const std::string& text) -> Parsed<Budget> {
    if (text == "auto") return Budget();
    auto bytes = inner->spec().parse(text);
    if (!bytes) return std::unexpected(std::move(bytes.error()));
    return Budget(*bytes);
  };
  spec.format = [inner](const Budget& value) {
    return value ? inner->spec().format(*value) : text_scalar("auto");
  };
  return scalar(std::move(spec));
}

}  // namespace

CodecPtr<MemoryConfig> memory_section() {
  using S = MemoryConfig;
  static const auto table = section<S>({
      key("budget", &S::budget, budget(),
          "Bytes that all requests together may hold; auto: 60 % of the cgroup's or machine's "
          "memory."),
      key("unidentified_share", &S::unidentified_share, share(),
          "How much of it requests may hold whose tenant is not known."),
  });
  return table;
}

}  // namespace weir::config
