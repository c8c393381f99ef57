// SPDX-License-Identifier: Apache-2.0
// Keys of overload: shedding, adaptive concurrency, and how long clients want to wait.
#include <algorithm>

#include "config/http_words.h"
#include "config/keys.h"
#include "config/lists.h"
#include "config/scalars.h"

namespace weir::config {

namespace {

void check_adaptive(Reader& reader, NodeId id, AdaptiveConcurrencyConfig& adaptive) {
  if (adaptive.min > adaptive.max) {
    return reader.error(id, {"`min` is above `max`", "write min: 10 and max: 1000"});
  }
  // What was not written follows the bounds.
  if (reader.find(id, "initial") == Document::kNone) {
    adaptive.initial = std::clamp(adaptive.initial, adaptive.min, adaptive.max);
  } else if (adaptive.initial < adaptive.min || adaptive.initial > adaptive.max) {
    reader.error(reader.find(id, "initial"),
                 {"`initial` is not between `min` and `max`", "leave it out, or move it between"});
  }
}

}  // namespace

CodecPtr<LoadSheddingConfig> load_shedding_section() {
  using S = LoadSheddingConfig;
  static const auto table = section<S>({
      key("enabled", &S::enabled, boolean(),
          "Whether a worker that is late refuses requests, those of priority 5 first, 0 never."),
      key("target_delay", &S::target_delay, duration(Zero::kRefused),
          "How long what is ready may stand waiting to be served before it is late."),
  });
  return table;
}

CodecPtr<AdaptiveConcurrencyConfig> adaptive_concurrency_section() {
  using S = AdaptiveConcurrencyConfig;
  constexpr std::uint32_t kMost = 1'000'000;
  static const auto table = section<S>(
      {
          key("min", &S::min, count<std::uint32_t>(1, kMost),
              "Requests in flight that are let in however slow the cluster is."),
          key("max", &S::max, count<std::uint32_t>(1, kMost),
              "Requests in flight beyond which it is never raised."),
          key("initial", &S::initial, count<std::uint32_t>(1, kMost),
              "Where it begins, before anything was measured; held between min and max."),
      },
      check_adaptive);
  return table;
}

CodecPtr<ClientDeadlineConfig> client_deadline_section() {
  using S = ClientDeadlineConfig;
  static const auto table = section<S>({
      key("header", &S::header, word_or("null", editable_header_name()),
          "The header that says it (250ms, 2s, 2) and tells upstreams what is left; null for "
          "none."),
      key("prefer_wait", &S::prefer_wait, boolean(),
          "Whether wait=N of a Prefer header (RFC 7240) says it as well, in seconds."),
  });
  return table;
}

}  // namespace weir::config
