// SPDX-License-Identifier: Apache-2.0
#include "app/fault_words.h"

#include <fmt/format.h>
#include <weir/units.h>

#include <chrono>
#include <optional>

#include "config/values.h"

namespace weir::app {
namespace {

constexpr Millis kLongestDelay = std::chrono::minutes{5};
constexpr uint32_t kPpmAStep = Share::kWhole / base::Fault::kAll;

std::optional<uint32_t> parse_delay(const std::string& text) {
  const auto time = config::parse_duration(text);
  if (!time || *time <= Millis{0} || *time > kLongestDelay) return std::nullopt;
  return static_cast<uint32_t>(time->count());
}

std::optional<uint16_t> parse_status(const std::string& text) {
  const auto number = config::parse_integer(text);
  if (!number || *number < 400 || *number > 599) return std::nullopt;
  return static_cast<uint16_t>(*number);
}

std::optional<uint32_t> parse_percent(const std::string& text) {
  const auto share = config::parse_share(text.ends_with('%') ? text : text + "%");
  if (!share || share->ppm < kPpmAStep || share->ppm > Share::kWhole) return std::nullopt;
  return share->ppm / kPpmAStep;
}

// False: no such word, or no such value.
bool read_word(std::string_view word, base::Fault& fault) {
  const size_t mark = word.find('=');
  const std::string value(mark == std::string_view::npos ? "" : word.substr(mark + 1));
  const std::string_view key = word.substr(0, mark);
  if (key == "delay") {
    const auto delay = parse_delay(value);
    fault.delay_ms = delay.value_or(0);
    return delay.has_value();
  }
  if (key == "abort") {
    const auto status = parse_status(value);
    fault.abort = status.value_or(0);
    return status.has_value();
  }
  if (key != "percent") return false;
  const auto percent = parse_percent(value);
  fault.share = percent.value_or(0);
  return percent.has_value();
}

}  // namespace

std::expected<base::Fault, std::string> parse_fault(std::string_view text) {
  base::Fault fault;
  fault.share = base::Fault::kAll;
  while (!text.empty()) {
    const size_t end = text.find(' ');
    const std::string_view word = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (word.empty() || read_word(word, fault)) continue;
    return std::unexpected("`" + std::string(word) +
                           "` is no part of a fault; write delay=2s (up to 5m), abort=503 (400 to "
                           "599), percent=10 (0.01 to 100)");
  }
  if (fault.delay_ms == 0 && fault.abort == 0) {
    return std::unexpected("a fault has a delay=2s, an abort=503 or both");
  }
  return fault;
}

std::string fault_words(const base::Fault& fault) {
  std::string out;
  if (fault.delay_ms != 0) out += "delay=" + config::format_duration(Millis(fault.delay_ms)) + " ";
  if (fault.abort != 0) out += fmt::format("abort={} ", fault.abort);
  return out + fmt::format("percent={}", fault.share / 100.0);
}

}  // namespace weir::app
