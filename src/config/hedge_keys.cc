// SPDX-License-Identifier: Apache-2.0
// Keys of a route's hedge: when a second endpoint is asked beside the first.
#include <charconv>

#include "config/keys.h"
#include "config/scalars.h"

namespace weir::config {
namespace {

using After = decltype(HedgeConfig::after);

constexpr std::uint32_t kLeastPercent = 50;
constexpr std::uint32_t kMostPercent = 99;

Parsed<After> parse_percentile(std::string_view digits) {
  std::uint32_t percent = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, percent);
  if (error == std::errc{} && stop == end && percent >= kLeastPercent && percent <= kMostPercent) {
    return After(LatencyPercentile{percent});
  }
  return std::unexpected(Finding{"no percentile that can be waited for", "write p50 to p99"});
}

ScalarPtr<After> after() {
  const auto inner = duration(Zero::kRefused);
  ScalarSpec<After> spec;
  spec.type = {"percentile or duration", "p50 to p99; " + inner->spec().type.unit};
  spec.parse = [inner](const std::string& text) -> Parsed<After> {
    if (text.starts_with('p')) return parse_percentile(std::string_view(text).substr(1));
    auto fixed = inner->spec().parse(text);
    if (!fixed) return std::unexpected(std::move(fixed.error()));
    return After(*fixed);
  };
  spec.format = [inner](const After& value) {
    if (const auto* fixed = std::get_if<Millis>(&value)) return inner->spec().format(*fixed);
    return text_scalar("p" + std::to_string(std::get<LatencyPercentile>(value).percent));
  };
  return scalar(std::move(spec));
}

}  // namespace

CodecPtr<HedgeConfig> hedge_section() {
  using S = HedgeConfig;
  static const auto table = section<S>({
      key("after", &S::after, after(),
          "How long without an answer: a time, or what so many of the cluster's answers take."),
  });
  return table;
}

}  // namespace weir::config
