// SPDX-License-Identifier: Apache-2.0
// Keys of how much a limit allows: rates and places.
#include <algorithm>
#include <array>

#include "config/limit_parts.h"
#include "config/lists.h"
#include "config/scalars.h"

namespace weir::config {

namespace {

constexpr std::uint64_t kMaxAmount = 1'000'000'000'000;
constexpr std::uint32_t kMaxPlaces = 1'000'000;

// ---- Rates.

// "200/s": an amount and the time that it is for.
struct Pace {
  std::uint64_t amount = 0;
  Millis window{1'000};
  bool operator==(const Pace&) const = default;
};

constexpr std::array<std::pair<std::string_view, Millis>, 3> kWindows{
    {{"s", Millis{1'000}}, {"m", Millis{60'000}}, {"h", Millis{3'600'000}}}};

Parsed<std::uint64_t> parse_amount(std::string_view text, Unit unit) {
  if (unit == Unit::kBytes) return parse_size(text);
  const auto number = parse_integer(text);
  if (!number) return std::unexpected(number.error());
  return static_cast<std::uint64_t>(std::max<std::int64_t>(*number, 0));
}

ScalarPtr<Pace> pace(Unit unit) {
  const std::string example = unit == Unit::kBytes ? "10MiB/s" : "200/s, 6000/m";
  ScalarSpec<Pace> spec;
  spec.type = {"rate", example};
  spec.parse = [unit, example](const std::string& text) -> Parsed<Pace> {
    const std::size_t slash = text.rfind('/');
    const std::string_view per =
        std::string_view(text).substr(std::min(slash, text.size() - 1) + 1);
    const auto window = std::ranges::find(kWindows, per, [](const auto& w) { return w.first; });
    const std::string_view number = std::string_view(text).substr(0, slash);
    const auto amount = parse_amount(number, unit);
    if (slash == std::string::npos || window == kWindows.end() || !amount) {
      return std::unexpected(
          Finding{"not a rate", "write an amount a second, minute or hour: " + example});
    }
    if (*amount > 0 && *amount <= kMaxAmount) return Pace{*amount, window->second};
    return std::unexpected(Finding{"out of range",
                                   "write at least 1; to refuse all, a direct "
                                   "answer on a route says why"});
  };
  spec.format = [unit](const Pace& value) {
    const auto window =
        std::ranges::find(kWindows, value.window, [](const auto& w) { return w.second; });
    const std::string amount =
        unit == Unit::kBytes ? format_size(value.amount) : std::to_string(value.amount);
    return text_scalar(amount + "/" + std::string(window->first));
  };
  return scalar(std::move(spec));
}

struct RateKeys {
  Pace rate;
  std::optional<std::uint64_t> burst;
};

// What flows in a second, and at least one.
std::uint64_t burst_of(const Pace& rate) {
  return std::max<std::uint64_t>(
      rate.amount * 1'000 / static_cast<std::uint64_t>(rate.window.count()), 1);
}

CodecPtr<QueueConfig> queue_section() {
  using S = QueueConfig;
  return section<S>({
      key("max_requests", &S::max_requests, count<std::uint32_t>(0, kMaxPlaces),
          "Requests that may wait for a place; 0 refuses at once."),
      key("max_bytes", &S::max_bytes, size(Zero::kRefused), "What they may hold together."),
      key("max_wait", &S::max_wait, duration(Zero::kRefused), "How long one may wait."),
  });
}

std::vector<KeyPtr<LimitAmounts>> amount_rows() {
  using S = LimitAmounts;
  constexpr auto kSome = KeyUse::kAlternative;
  return {
      key("requests", &S::requests, optional(rate_section(Unit::kCount)), "Requests over time.",
          kSome),
      key("bandwidth", &S::bandwidth, optional(rate_section(Unit::kBytes)),
          "Bytes of both bodies over time, charged as they flow; past it requests are refused.",
          kSome),
      key("cost", &S::cost, optional(rate_section(Unit::kCount)),
          "What the response's cost_header says, over time.", kSome),
      key("concurrency", &S::concurrency, optional(concurrency_section()),
          "Requests at the same time.", kSome),
  };
}

}  // namespace

CodecPtr<RateConfig> rate_section(Unit unit) {
  using S = RateKeys;
  const ScalarPtr<std::uint64_t> burst = unit == Unit::kBytes ? size(Zero::kRefused, 1, kMaxAmount)
                                                              : count<std::uint64_t>(1, kMaxAmount);
  return via<RateConfig, S>(
      section<S>({
          key("rate", &S::rate, pace(unit), "How much flows in.", KeyUse::kRequired),
          key("burst", &S::burst, or_word("auto", burst),
              "How much at once; auto is what flows in a second."),
      }),
      [](const RateConfig& c) {
        const bool given = c.amount != 0;
        return S{{c.amount, c.window}, given ? std::optional(c.burst) : std::nullopt};
      },
      [](Reader&, NodeId, S&& keys, RateConfig& c) {
        c = {keys.rate.amount, keys.rate.window, keys.burst.value_or(burst_of(keys.rate))};
      });
}

CodecPtr<ConcurrencyConfig> concurrency_section() {
  using S = ConcurrencyConfig;
  return section<S>({
      key("max", &S::max, count<std::uint32_t>(1, kMaxPlaces), "Requests at the same time.",
          KeyUse::kRequired),
      key("queue", &S::queue, queue_section(),
          "Who may wait; served in turn by tenant and the weight of his class."),
  });
}

CodecPtr<LimitAmounts> amounts_section() {
  static const auto table = section<LimitAmounts>(amount_rows());
  return table;
}

}  // namespace weir::config
